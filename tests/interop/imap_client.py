#!/usr/bin/env python3
"""IMAP through Python's imapclient (PyPI), and the extensions through raw commands."""
import datetime
import glob
import os
import sys

from lib import imap, target
from lib.report import Checks, want

sys.path[:0] = glob.glob(os.path.join(os.environ.get("PH_CACHE", ""), "venv", "lib", "python*", "site-packages"))
import imapclient  # noqa: E402

USER = target.account("client")
MAIL = "From: A <a@x.test>\r\nTo: b@y.test\r\nSubject: {0}\r\nMessage-ID: <{0}@x.test>\r\n{1}Date: Mon, 06 Jan 2025 1{2}:00:00 +0000\r\n\r\nbody {0}\r\n"


def login():
    client = imapclient.IMAPClient(target.HOST, port=target.port("imap"), ssl=False)
    client.login(USER, target.PASSWORD)
    return client


def mails(client, folder="INBOX"):
    replies = [("one", "", 0), ("two", "References: <one@x.test>\r\n", 3), ("three", "References: <one@x.test> <two@x.test>\r\n", 2), ("alone", "", 1)]
    for name, header, hour in replies:
        client.append(folder, MAIL.format(name, header, hour).encode(), [], datetime.datetime(2025, 1, 6, 10, 0, tzinfo=datetime.timezone.utc))


def main():
    checks = Checks("imapclient")
    client = login()
    with checks.check("folders: create, list, subscribe, status, rename, delete"):
        client.create_folder("Projekte/日本")
        want("Projekte/日本" in [name for _, _, name in client.list_folders()], "not listed")
        client.subscribe_folder("Projekte/日本")
        want("Projekte/日本" in [name for _, _, name in client.list_sub_folders()], "not subscribed")
        client.rename_folder("Projekte/日本", "Projekte/中国")
        want(client.folder_status("Projekte/中国", ["MESSAGES"])[b"MESSAGES"] == 0, "status")
        client.delete_folder("Projekte/中国")
        want(client.find_special_folder(imapclient.imapclient.SENT) == "Sent", "no Sent")
    with checks.check("append, fetch, flags, search"):
        mails(client)
        want(client.select_folder("INBOX")[b"EXISTS"] == 4, "EXISTS")
        found = client.search(["SUBJECT", "two"])
        data = client.fetch(found, ["ENVELOPE", "BODYSTRUCTURE", "RFC822.SIZE", "INTERNALDATE", "FLAGS", "BODY.PEEK[TEXT]"])[found[0]]
        want(data[b"ENVELOPE"].subject == b"two" and data[b"BODY[TEXT]"] == b"body two\r\n", f"{data}")
        client.add_flags(found, [imapclient.SEEN, b"$Work"])
        want(set(client.get_flags(found)[found[0]]) >= {imapclient.SEEN, b"$Work"}, "flags")
        want(client.search(["KEYWORD", "$Work"]) == found, "keyword")
    with checks.check("sort and thread"):
        by = lambda uids: [client.fetch([u], ["ENVELOPE"])[u][b"ENVELOPE"].subject.decode() for u in uids]  # noqa: E731
        want(by(client.sort("DATE")) == ["one", "alone", "three", "two"], f"{by(client.sort('DATE'))}")
        want(by(client.sort("SUBJECT")) == ["alone", "one", "three", "two"], "subject")
        threads = client.thread("REFERENCES")
        want(len(threads) == 2 and len(threads[0]) == 3, f"{threads}")
    with checks.check("copy, move, expunge"):
        two = client.search(["SUBJECT", "two"])
        client.copy(two, "Trash")
        client.move(client.search(["SUBJECT", "alone"]), "Trash")
        client.delete_messages(two)
        client.uid_expunge(two)
        want(len(client.search()) == 2 and client.folder_status("Trash", ["MESSAGES"])[b"MESSAGES"] == 2, "counts")
    with checks.check("idle hears another session"):
        other = login()
        client.idle()
        mails(other)
        lines = []
        for _ in range(20):
            lines += client.idle_check(timeout=1)
            if (6, b"EXISTS") in lines:
                break
        client.idle_done()
        want((6, b"EXISTS") in lines, f"{lines}")
        other.logout()
    with checks.check("quota, namespace, id, capabilities, enable"):
        want(client.namespace().personal == (("", "/"),), "namespace")
        want(client.get_quota_root("INBOX")[0].quota_roots, "quota")
        client.id_({"name": "test"})
        client.unselect_folder()
        want(client.has_capability("QRESYNC") and b"QRESYNC" in client.enable("QRESYNC"), "enable")
    with checks.check("search results by ESEARCH, saved ones in FETCH"):
        conn = imap.login(USER, mailbox="INBOX")
        status, _, lines = imap.raw(conn, "UID SEARCH RETURN (MIN MAX COUNT) ALL")
        want(status == "OK" and b"COUNT 6" in lines[0], f"{lines}")
        want(imap.raw(conn, "SEARCH RETURN (SAVE) SUBJECT two")[0] == "OK", "save")
        want(len(imap.raw(conn, "FETCH $ (UID PREVIEW)")[2]) == 1, "saved")
        conn.logout()
    with checks.check("compressed"):
        import zlib
        conn = imap.login(USER, mailbox="INBOX")
        want(imap.raw(conn, "COMPRESS DEFLATE")[0] == "OK", "no COMPRESS")
        packer, unpacker = zlib.compressobj(6, zlib.DEFLATED, -15), zlib.decompressobj(-15)
        conn.send(packer.compress(b"z UID FETCH 1:* (FLAGS BODY.PEEK[])\r\n") + packer.flush(zlib.Z_SYNC_FLUSH))
        text = b""
        while b"z OK" not in text:
            text += unpacker.decompress(conn.sock.recv(65536))
        want(text.count(b"FETCH (") == 6, f"{text[-200:]}")
        conn.send(packer.compress(b"y LOGOUT\r\n") + packer.flush(zlib.Z_SYNC_FLUSH))
    client.logout()
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
