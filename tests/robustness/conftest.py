"""The tools of this folder are programs too: `python tests/robustness/fuzz.py`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
