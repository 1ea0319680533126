"""Become an Envoy that ends when the process that started it does, however that ends. Arguments are Envoy's."""

import ctypes
import os
import signal
import sys
from pathlib import Path

import envoy

_PR_SET_PDEATHSIG = 1

parent = os.getppid()
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
if os.getppid() != parent:
    sys.exit("the parent is gone")
binary = Path(envoy.__file__).parent / "_bin" / "envoy"
os.execv(binary, [str(binary), *sys.argv[1:]])
