#!/usr/bin/env python3
"""Makes the mail sets that tests and benches use; never touches a server.

    make.py SET OUT_DIR [--source DIR] [--seed N] [--count N]

SET is one of
  spamassassin  the 6,046 mails of the npm package (--source: its data folder), as CRLF
  chinese       GBK, GB18030, Big5 and UTF-8 bodies, encoded words, RFC 2231 names
  attachments   base64 parts of several sizes, some of them equal
  hostile       broken MIME: deep nesting, endless lines, bad boundaries, raw bytes

Each mail becomes OUT_DIR/NNNNN.eml with CRLF line ends. The same seed gives the same bytes.
A set that is there already, whole, is left alone.
"""
import argparse
import base64
import os
import random
import re
import sys

EOL = re.compile(rb"\r\n|\r|\n")


def crlf(raw: bytes) -> bytes:
    """Every line end as CRLF, with one at the end."""
    out = EOL.sub(b"\r\n", raw)
    return out if out.endswith(b"\r\n") else out + b"\r\n"


def spamassassin(args):
    for folder in ("easy-ham-1", "easy-ham-2", "hard-ham-1", "spam-1", "spam-2"):
        base = os.path.join(args.source, folder)
        for name in sorted(os.listdir(base)):
            if not name.endswith(".txt"):
                continue
            with open(os.path.join(base, name), "rb") as file:
                raw = file.read().replace(b"\0", b"")
            # The mbox separator is the mailbox file's, not the mail's.
            if raw.startswith(b"From "):
                raw = raw[raw.index(b"\n") + 1:]
            yield crlf(raw)


WORDS = "驿站 邮件 服务器 会议 纪要 项目 合同 附件 请查收 财务 报表 审批 通知 部门 北京 上海 深圳 重庆 您好 谢谢 周一 下午 季度 预算 客户 需求 測試 繁體 臺灣 信箱".split()
SIMPLE = [w for w in WORDS if w not in ("測試", "繁體", "臺灣", "信箱")]
TRADITIONAL = "測試 繁體 信箱 會議 項目 合同 附件 請查收 財務 報表 審批 通知 部門 臺灣 您好 謝謝 下午 季度 預算 客戶 需求".split()


def encoded_word(text: str, charset: str, how: str) -> str:
    raw = text.encode(charset)
    if how == "B":
        return f"=?{charset}?B?{base64.b64encode(raw).decode()}?="
    return f"=?{charset}?Q?{''.join('=%02X' % b for b in raw)}?="


def rfc2231(name: str, text: str, charset: str) -> str:
    quoted = "".join("%%%02X" % b for b in text.encode(charset))
    half = len(quoted) // 6 * 3
    return f"{name}*0*={charset}''{quoted[:half]};\r\n {name}*1*={quoted[half:]}"


def wrap64(raw: bytes) -> bytes:
    text = base64.b64encode(raw)
    return b"\r\n".join(text[i:i + 76] for i in range(0, len(text), 76)) + b"\r\n"


def chinese(args):
    rng = random.Random(args.seed)
    for n in range(args.count):
        charset = ("gbk", "gb18030", "big5", "utf-8")[n % 4]
        words = TRADITIONAL if charset == "big5" else SIMPLE
        say = lambda k: "".join(rng.choice(words) for _ in range(k))
        # gb18030 reaches four-byte characters that gbk does not have.
        extra = "𠮷㐂" if charset in ("gb18030", "utf-8") else ""
        subject = say(rng.randint(2, 6)) + extra
        body = "\r\n".join(say(rng.randint(3, 30)) + "，" + say(4) + extra for _ in range(rng.randint(1, 60)))
        head = [
            f"From: {encoded_word(say(2), charset, 'B')} <sender{n}@zh.example>",
            f"To: {encoded_word(say(2), charset, 'Q')} <rcpt{n}@zh.example>",
            f"Subject: {encoded_word(subject, charset, 'BQ'[n % 2])}",
            f"Message-ID: <zh-{args.seed}-{n}@zh.example>",
            "Date: Mon, 06 Jan 2025 10:%02d:%02d +0800" % (n // 60 % 60, n % 60),
            "MIME-Version: 1.0",
        ]
        raw = body.encode(charset)
        kind = n // 4 % 3
        if kind == 0:
            head += [f"Content-Type: text/plain; charset={charset}", "Content-Transfer-Encoding: 8bit"]
            yield "\r\n".join(head).encode() + b"\r\n\r\n" + crlf(raw)
        elif kind == 1:
            head += [f"Content-Type: text/plain; charset=\"{charset}\"", "Content-Transfer-Encoding: base64"]
            yield "\r\n".join(head).encode() + b"\r\n\r\n" + wrap64(raw)
        else:
            mark = f"=_zh{n}"
            head += [f"Content-Type: multipart/mixed; boundary=\"{mark}\""]
            part = f"--{mark}\r\nContent-Type: text/html; charset={charset}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n<p>".encode()
            name = say(3) + ".txt"
            disposition = f"Content-Disposition: attachment;\r\n {rfc2231('filename', name, charset)}"
            file = f"--{mark}\r\nContent-Type: text/plain; name=\"{encoded_word(name, charset, 'B')}\"\r\n{disposition}\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode()
            yield ("\r\n".join(head).encode() + b"\r\n\r\n" + part + raw + b"</p>\r\n" + file + wrap64(raw)
                   + f"--{mark}--\r\n".encode())


def attachments(args):
    rng = random.Random(args.seed)
    logo = rng.randbytes(24_000)
    for n in range(args.count):
        mark = f"=_att{n}"
        parts = [b"Content-Type: text/plain\r\n\r\nSee the files, please. Number %d.\r\n" % n]
        # A signature picture that many mails share, then files of their own.
        files = [("logo.png", "image/png", logo)]
        for k in range(rng.randint(1, 3)):
            size = rng.choice((3_000, 30_000, 120_000, 400_000))
            text = b" ".join(rng.choice((b"row", b"total", b"%d" % rng.randrange(999))) for _ in range(size // 5))
            files.append((f"f{k}.bin", "application/octet-stream", rng.randbytes(size) if k % 2 else text))
        for name, kind, raw in files:
            parts.append(f"Content-Type: {kind}; name=\"{name}\"\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n"
                         "Content-Transfer-Encoding: base64\r\n\r\n".encode() + wrap64(raw))
        head = (f"From: a{n}@att.example\r\nTo: b{n}@att.example\r\nSubject: files {n}\r\nMessage-ID: <att-{args.seed}-{n}@att.example>\r\n"
                f"Date: Tue, 07 Jan 2025 08:00:{n % 60:02d} +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"{mark}\"\r\n\r\n").encode()
        yield head + b"".join(b"--" + mark.encode() + b"\r\n" + p for p in parts) + f"--{mark}--\r\n".encode()


def nested(depth: int) -> bytes:
    out = [b"From: h@h.example\r\nSubject: deep %d\r\nMIME-Version: 1.0\r\n" % depth]
    for level in range(depth):
        out.append(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level))
    return b"".join(out) + b"\r\nbottom\r\n"


def forwarded(depth: int) -> bytes:
    return b"Subject: fwd\r\nContent-Type: message/rfc822\r\n\r\n" * depth + b"Subject: last\r\n\r\nend\r\n"


def hostile(args):
    rng = random.Random(args.seed)
    yield nested(100)
    yield nested(10_000)
    yield forwarded(10_000)
    yield b"Subject: " + b"x" * 200_000 + b"\r\n\r\nlong header\r\n"
    yield b"Subject: long line\r\n\r\n" + b"y" * 990_000 + b"\r\n"
    yield b"".join(b"X-H%d: v\r\n" % n for n in range(20_000)) + b"\r\nmany headers\r\n"
    yield b"To: " + b", ".join(b"u%d@x.example" % n for n in range(20_000)) + b"\r\n\r\nmany addresses on one line\r\n"
    yield b"References: " + b"\r\n ".join(b"<%d@x.example>" % n for n in range(20_000)) + b"\r\nSubject: r\r\n\r\nrefs\r\n"
    yield b"\r\n"
    yield b"no header at all\r\n"
    yield b"Subject: no blank line\r\n"
    yield b": empty name\r\n : fold\r\n\r\nbody\r\n"
    yield b"Subject: =?utf-8?B?!!!!?= =?x?Q?=ZZ?= =?gbk?B?/////w==?=\r\n\r\nbad words\r\n"
    yield b"Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n\r\nempty boundary\r\n----\r\n"
    yield b"Content-Type: multipart/mixed; boundary=a\r\n\r\nno part ever\r\n"
    yield b"Content-Type: multipart/mixed; boundary=a\r\n\r\n" + b"--a\r\n\r\nx\r\n" * 20_000 + b"--a--\r\n"
    yield b"Content-Type: text/plain; charset=" + b"z" * 5_000 + b"\r\n\r\ncharset\r\n"
    yield b"Content-Type: " + b"a/" * 3_000 + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n@@@not base64@@@\r\n"
    yield b"From: \"unclosed <a@b\r\nTo: <<<>>>, ((((((\r\nDate: yesterday\r\nSubject: (\r\n\r\naddresses\r\n"
    yield b"From: " + b"(" * 50_000 + b"\r\n\r\ncomments\r\n"
    yield b"Content-Disposition: attachment; " + b"; ".join(b"f*%d*=%%zz" % n for n in range(2_000)) + b"\r\n\r\n2231\r\n"
    yield b"Subject: dots\r\n\r\n.\x20\r\n..\r\n...\r\n.x\r\n"
    while True:
        yield b"Subject: noise\r\n\r\n" + crlf(bytes(b for b in rng.randbytes(rng.randint(1, 4_000)) if b not in (0, 10, 13)))


SETS = {"spamassassin": (spamassassin, 6046), "chinese": (chinese, 240), "attachments": (attachments, 120), "hostile": (hostile, 40)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", choices=SETS)
    parser.add_argument("out")
    parser.add_argument("--source", default="")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int)
    args = parser.parse_args()
    make, default = SETS[args.set]
    args.count = args.count or default
    stamp = os.path.join(args.out, "DONE")
    want = f"{args.set} {args.seed} {args.count}\n"
    if os.path.exists(stamp) and open(stamp).read() == want:
        return
    os.makedirs(args.out, exist_ok=True)
    total = made = 0
    for raw in make(args):
        if made == args.count:
            break
        with open(os.path.join(args.out, f"{made:05}.eml"), "wb") as file:
            file.write(raw)
        made, total = made + 1, total + len(raw)
    if made != args.count:
        sys.exit(f"{args.set}: made {made} mails, expected {args.count}")
    with open(stamp, "w") as file:
        file.write(want)
    print(f"{args.set}: {made} mails, {total} bytes, seed {args.seed}")


if __name__ == "__main__":
    main()
