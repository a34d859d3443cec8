"""Remember people in this user's vault, and recognise them.

python examples/remember_people.py anna anna1.jpg anna2.jpg anna3.jpg    enrolls anna
python examples/remember_people.py photo.jpg                             says who is on a photo
"""

import sys

from mien import MienError, open_vault


def main(arguments: list[str]) -> str:
    with open_vault() as vault:
        if len(arguments) == 1:
            found = vault.identify(arguments[0])
            return found.user or f"no match among {len(vault.people())} people"
        name, *photos = arguments
        enrollment = vault.enroll(name, photos)
        return "\n".join([f"enrolled {name} from {len(photos)} photos", *enrollment.advice])


if __name__ == "__main__":
    try:
        print(main(sys.argv[1:] or sys.exit(__doc__)))
    except MienError as error:
        sys.exit(str(error))
