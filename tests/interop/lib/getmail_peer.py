#!/usr/bin/env python3
"""Debian's getmail, with one fault of it mended: `getmail_peer.py` takes getmail's own arguments.

It forks for each delivery, and only then begins to listen for the child's end. A child that is faster than that, as on a busy machine, is waited for until
the time-out of the connection, three minutes, is over.
"""
import os
import runpy
import shutil

from getmailcore.baseclasses import ForkingBase


def wait_for(_, child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


ForkingBase._prepare_child = lambda _: None
ForkingBase._wait_for_child = wait_for
runpy.run_path(shutil.which("getmail"), run_name="__main__")
