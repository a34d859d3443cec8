"""Watch a camera, or a video file, until the owner is seen.

python examples/camera_loop.py FOLDER_OF_PHOTOS [CAMERA_NUMBER_OR_VIDEO]
"""

import sys

import cv2

from mien import FaceUnlock


def main(photos: str, source: str = "0") -> int:
    unlock = FaceUnlock(photos)
    camera = cv2.VideoCapture(int(source) if source.isdigit() else source)
    while True:
        running, frame_bgr = camera.read()
        if not running:
            print("no more pictures")
            return 1
        decision = unlock(frame_bgr[:, :, ::-1])  # OpenCV gives blue first
        print(f"{decision.similarity:.2f} {decision.reason}")
        if decision:
            return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]) if len(sys.argv) > 1 else __doc__)
