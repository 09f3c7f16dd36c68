"""Where things are. Never creates anything on import."""
import os

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
CACHE = os.environ.get("PH_CACHE") or os.path.join(ROOT, "tests", ".cache")
CORPUS = os.path.join(CACHE, "corpus")
NODE_MODULES = os.path.join(CACHE, "node_modules")
TARGET = os.environ.get("CARGO_TARGET_DIR") or os.path.join(ROOT, "target")
POSTHOUSE = os.environ.get("PH_BIN") or os.path.join(TARGET, "release", "posthouse")
LOAD = os.path.join(TARGET, "release", "posthouse-load")
# Data directories of the servers under test: on the disk, not on a tmpfs, since syncs are measured.
RUNS = os.environ.get("PH_RUNS") or os.path.join(CACHE, "runs")
