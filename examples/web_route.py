"""A FastAPI route that verifies an enrolled person: fastapi run examples/web_route.py

curl -F photo=@probe.jpg http://127.0.0.1:8000/people/anna/verify
"""

from fastapi import FastAPI, HTTPException, UploadFile

from mien import MienError, NotEnrolled, TooManyAttempts, open_vault

STATUS = {NotEnrolled: 404, TooManyAttempts: 429}

app = FastAPI()
vault = open_vault()  # may be used from several threads


@app.post("/people/{name}/verify")
def verify(name: str, photo: UploadFile) -> dict[str, object]:
    """Put a login of your own and a limit on the body before this route; see `mien serve`."""
    try:
        return vault.verify(name, photo.file).to_dict()
    except MienError as error:
        raise HTTPException(STATUS.get(type(error), 400), str(error)) from error
