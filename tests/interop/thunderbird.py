#!/usr/bin/env python3
"""Thunderbird in its own window, driven by Marionette: reads, flags, moves, deletes, searches, sends and hears of new mail, by IMAP and submission over TLS.

Runs only when it is named, since Thunderbird is large: tests/interop/run thunderbird.py. PH_SCREENSHOT=FILE.png starts it under Xvfb and keeps a picture.
"""
import base64
import os
import shutil
import ssl
import subprocess
import sys

from lib import imap, procs, smtp, target
from lib.marionette import Marionette
from lib.report import Checks, want
from lib.servers import free_ports

USER = target.account("thunderbird")
FOLDER = os.path.join(target.FOLDER, "thunderbird")
PICTURE = os.environ.get("PH_SCREENSHOT")
MAIL = "From: Somebody <a@x.test>\r\nTo: <{user}>\r\nSubject: bird{n}\r\nMessage-ID: <bird{n}@x.test>\r\nDate: Mon, 06 Jan 2025 10:00:0{n} +0000\r\n\r\nbody number {n}, Grüße\r\n"
PREFS = {
    "mail.shell.checkDefaultClient": False, "mail.rights.version": 1, "datareporting.policy.dataSubmissionPolicyBypassNotification": True,
    "mail.provider.suppress_dialog_on_startup": True, "mailnews.start_page.enabled": False, "app.update.enabled": False,
    "mail.spotlight.firstRunDone": True, "mail.inappnotifications.enabled": False, "network.manage-offline-status": False,
    "mailnews.mark_message_read.auto": True, "mailnews.mark_message_read.delay": False, "mail.biff.show_alert": False,
    "mail.accountmanager.accounts": "account1,account2", "mail.accountmanager.defaultaccount": "account1",
    "mail.accountmanager.localfoldersserver": "server2", "mail.smtpservers": "smtp1", "mail.smtp.defaultserver": "smtp1",
    "mail.account.account1.server": "server1", "mail.account.account1.identities": "id1", "mail.account.account2.server": "server2",
    "mail.identity.id1.fullName": "Tester", "mail.identity.id1.smtpServer": "smtp1", "mail.identity.id1.valid": True,
    "mail.identity.id1.compose_html": False, "mail.server.server1.type": "imap", "mail.server.server1.hostname": "127.0.0.1",
    "mail.server.server1.socketType": 3, "mail.server.server1.authMethod": 3, "mail.server.server1.check_new_mail": True,
    "mail.server.server1.login_at_startup": False, "mail.server.server1.name": "test", "mail.server.server1.delete_model": 1,
    "mail.server.server2.type": "none", "mail.server.server2.hostname": "Local Folders", "mail.server.server2.userName": "nobody",
    "mail.server.server2.name": "Local Folders", "mail.smtpserver.smtp1.hostname": "127.0.0.1", "mail.smtpserver.smtp1.try_ssl": 3,
    "mail.smtpserver.smtp1.authMethod": 3,
}
# What every script of this file begins with.
COMMON = """
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const win = Services.wm.getMostRecentWindow("mail:3pane");
const pane = win.document.getElementById("tabmail").currentAbout3Pane;
const root = MailServices.accounts.accounts.find(account => account.incomingServer.type == "imap").incomingServer.rootFolder;
const until = async (what, check) => {
  for (let turn = 0; turn < 300; turn++) {
    const found = await check();
    if (found) return found;
    await new Promise(again => win.setTimeout(again, 100));
  }
  throw new Error("not within 30 s: " + what);
};
const folder = name => until("folder " + name, () => root.descendants.find(one => one.name.toLowerCase() == name.toLowerCase()));
const headers = one => [...one.messages];
const named = (one, subject) => until("mail " + subject, () => headers(one).find(header => header.mime2DecodedSubject == subject));
const show = async (name, subject) => {
  const one = await folder(name);
  pane.displayFolder(one);
  await until("view of " + name, () => pane.gViewWrapper?.displayedFolder == one && !pane.gViewWrapper.isLoading && pane.gDBView);
  const header = await named(one, subject);
  const at = await until("row of " + subject, () => { const at = pane.gDBView.findIndexOfMsgHdr(header, true); return at >= 0 && at < 1e6 ? [at] : null; });
  pane.threadTree.selectedIndex = at[0];
  return header;
};
"""


class Thunderbird:
    def __init__(self):
        port, self.xvfb = free_ports(1)[0], None
        profile = os.path.join(FOLDER, "profile")
        os.makedirs(profile)
        prefs = PREFS | {"marionette.port": port, "mail.server.server1.port": target.port("imaps"), "mail.server.server1.userName": USER,
                         "mail.smtpserver.smtp1.port": target.port("submissions"), "mail.smtpserver.smtp1.username": USER, "mail.identity.id1.useremail": USER}
        js = {True: "true", False: "false"}
        with open(os.path.join(profile, "user.js"), "w") as file:
            for name, value in prefs.items():
                file.write(f'user_pref("{name}", {js[value] if isinstance(value, bool) else value if isinstance(value, int) else chr(34) + value + chr(34)});\n')
        env, argv = os.environ | {"HOME": FOLDER}, ["--headless"]
        if PICTURE:
            display = next(f":{n}" for n in range(90, 190) if not os.path.exists(f"/tmp/.X11-unix/X{n}"))
            self.xvfb = subprocess.Popen(["Xvfb", display, "-screen", "0", "1280x900x24"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            env, argv = env | {"DISPLAY": display}, []
            procs.wait_until(lambda: os.path.exists(f"/tmp/.X11-unix/X{display[1:]}"), 20, "Xvfb")
        self.env, log = env, open(os.path.join(FOLDER, "log"), "wb")
        self.child = subprocess.Popen(["thunderbird", *argv, "--profile", profile, "--no-remote", "--marionette", "--remote-allow-system-access"],
                                      env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.driver = Marionette(port, 60)

    def run(self, script, *args):
        return self.driver.run(COMMON + script, *args)

    def picture(self):
        if PICTURE:
            subprocess.run(["import", "-window", "root", PICTURE], env=self.env, check=True)

    def quit(self):
        try:
            self.driver.ask("Marionette:Quit", {"flags": ["eForceQuit"]})
            self.child.wait(20)
        except (OSError, RuntimeError, subprocess.TimeoutExpired):
            for pid in procs.tree(self.child.pid):
                os.kill(pid, 9)
        if self.xvfb:
            self.xvfb.terminate()
            self.xvfb.wait()


def there(mailbox="INBOX"):
    return imap.by_subject(USER, mailbox)


def comes(check, what):
    procs.wait_until(check, 30, what)


def deliver(numbers):
    smtp.deliver(USER, [MAIL.format(n=n, user=USER) for n in numbers])


def main():
    checks = Checks("thunderbird")
    shutil.rmtree(FOLDER, ignore_errors=True)
    os.makedirs(FOLDER)
    deliver(range(5))
    bird = Thunderbird()
    try:
        work(checks, bird)
    finally:
        bird.quit()
    checks.finish()


def work(checks, bird):
    with checks.check("logs in over TLS, finds the mailboxes and the mails"):
        der = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((target.HOST, target.port("imaps"))))
        bird.run("""
const [der, ports, user, password] = args;
const cert = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB).constructX509FromBase64(der);
const overrides = Cc["@mozilla.org/security/certoverride;1"].getService(Ci.nsICertOverrideService);
for (const port of ports) overrides.rememberValidityOverride("127.0.0.1", port, {}, cert, false);
for (const origin of ["imap://127.0.0.1", "smtp://127.0.0.1"]) {
  const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
  login.init(origin, null, origin, user, password, "", "");
  await Services.logins.addLoginAsync(login);
}
root.server.performExpand(null);
""", base64.b64encode(der).decode(), [target.port("imaps"), target.port("submissions")], USER, target.PASSWORD)
        names = bird.run("""
const inbox = await folder("Inbox");
inbox.updateFolder(null);
await until("five mails", () => headers(inbox).length == 5);
await folder("Trash");
return root.descendants.map(one => one.name).sort();""")
        want({"Drafts", "INBOX", "Junk", "Sent", "Trash"} <= set(names), f"{names}")
    with checks.check("shows a mail, which is then seen on the server"):
        text = bird.run("""
await show("Inbox", "bird1");
return until("its text", () => {
  const text = pane.messageBrowser.contentWindow.getMessagePaneBrowser?.()?.contentDocument?.body?.innerText ?? "";
  return text.includes("body number") ? text : null;
});""")
        want("body number 1, Grüße" in text, text)
        bird.picture()
        comes(lambda: "\\Seen" in there()["bird1"], "\\Seen")
    with checks.check("flags, and tags with a keyword"):
        bird.run('const header = await show("Inbox", "bird2"); header.folder.markMessagesFlagged([header], true); header.folder.addKeywordsToMessages([header], "$label1");')
        comes(lambda: {"\\Flagged", "$label1"} <= there()["bird2"], "\\Flagged and $label1")
    with checks.check("makes a folder, moves a mail into it, deletes another"):
        bird.run("""
root.createSubfolder("Bird 鸟", null);
const made = await folder("Bird 鸟");
const header = await show("Inbox", "bird3");
MailServices.copy.copyMessages(header.folder, [header], made, true, null, null, false);
await until("the move", () => headers(made).length == 1 || (made.updateFolder(null), false));
""")
        comes(lambda: set(there("Bird &nh8-") or {}) == {"bird3"}, f"the moved mail: {there('Bird &nh8-')}")
        bird.run('const header = await show("Inbox", "bird4"); win.goDoCommand("cmd_delete"); await until("it is gone", () => !headers(header.folder).includes(header));')
        comes(lambda: set(there("Trash")) == {"bird4"} and set(there()) == {"bird0", "bird1", "bird2"}, f"{there()} {there('Trash')}")
    with checks.check("hears of new mail and of what another client does (IDLE)"):
        deliver([5])
        conn = imap.login(USER, mailbox="INBOX")
        imap.ok(conn.store("1", "+FLAGS", "(\\Seen)"))
        conn.logout()
        bird.run('const inbox = await folder("Inbox"); await named(inbox, "bird5"); await until("bird0 is read", () => headers(inbox).find(header => header.mime2DecodedSubject == "bird0").isRead);')
    with checks.check("searches on the server"):
        found = bird.run("""
const inbox = await folder("Inbox");
const session = Cc["@mozilla.org/messenger/searchSession;1"].createInstance(Ci.nsIMsgSearchSession);
session.addScopeTerm(Ci.nsMsgSearchScope.onlineMail, inbox);
const term = session.createTerm();
term.attrib = Ci.nsMsgSearchAttrib.Body;
term.op = Ci.nsMsgSearchOp.Contains;
const value = term.value;
value.attrib = term.attrib;
value.str = "number 2, Grü";
term.value = value;
session.appendTerm(term);
const hits = [];
await new Promise(done => {
  session.registerListener({ onSearchHit: header => hits.push(header.mime2DecodedSubject), onSearchDone: done, onNewSearch() {} });
  session.search(null);
});
return hits;""")
        want(found == ["bird2"], f"{found}")
    with checks.check("sends by submission, and keeps a copy in Sent"):
        bird.run("""
const fields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(Ci.nsIMsgCompFields);
fields.to = args[0]; fields.subject = "by bird"; fields.body = "Grüße\\n";
const params = Cc["@mozilla.org/messengercompose/composeparams;1"].createInstance(Ci.nsIMsgComposeParams);
params.composeFields = fields; params.type = Ci.nsIMsgCompType.New; params.format = Ci.nsIMsgCompFormat.PlainText;
MailServices.compose.OpenComposeWindowWithParams(null, params);
const write = await until("the window", () => { const one = Services.wm.getMostRecentWindow("msgcompose"); return one?.composeEditorReady && one; });
write.SendMessage();
await until("it is sent", () => write.closed);
""", USER)
        comes(lambda: "by bird" in there() and "by bird" in there("Sent"), f"{there()} {there('Sent')}")


if __name__ == "__main__":
    sys.exit(main())
