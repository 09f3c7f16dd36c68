#!/usr/bin/env node
// imapflow as a mail client: list, append, fetch, search, idle, store, copy, move, delete.
import { createRequire } from "node:module";

const require = createRequire(process.env.PH_CACHE + "/package.json");
const { ImapFlow } = require("imapflow");
const user = `u92@${process.env.PH_DOMAIN}`;
let passed = 0;
let failed = 0;

function open(secure) {
  return new ImapFlow({
    host: process.env.PH_HOST,
    port: Number(secure ? process.env.PH_IMAPS_PORT : process.env.PH_IMAP_PORT),
    secure,
    tls: { rejectUnauthorized: false },
    auth: { user, pass: process.env.PH_PASSWORD },
    logger: false,
  });
}

async function check(name, body) {
  let timer;
  const limit = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error("no answer in 30 s")), 30_000)));
  try {
    await Promise.race([body(), limit]);
    passed += 1;
    console.log(`  ok    imapflow: ${name}`);
  } catch (problem) {
    failed += 1;
    console.log(`  FAIL  imapflow: ${name}: ${problem.responseText || problem.message}`);
  } finally {
    clearTimeout(timer);
  }
}

function want(condition, why) {
  if (!condition) throw new Error(why);
}

const mail = (n) => `From: a@x.test\r\nTo: ${user}\r\nSubject: flow ${n}\r\nMessage-ID: <flow-${n}@x.test>\r\n\r\nbody ${n}\r\n`;

for (const secure of [false, true]) {
  await check(`connect and log out, ${secure ? "TLS" : "STARTTLS as offered"}`, async () => {
    const client = open(secure);
    await client.connect();
    want(client.authenticated, "not authenticated");
    await client.logout();
  });
}

const client = open(false);
client.on("error", () => {});
await check("connect", () => client.connect());
if (!failed) {
  await check("list, create, subscribe", async () => {
    await client.mailboxCreate("Flow");
    const names = (await client.list()).map((box) => box.path);
    want(names.includes("INBOX") && names.includes("Flow"), names.join());
  });
  await check("append five and fetch them as they were", async () => {
    for (let n = 0; n < 5; n += 1) {
      const done = await client.append("Flow", mail(n), n ? [] : ["\\Seen"]);
      want(done.uid, "no APPENDUID");
    }
    const lock = await client.getMailboxLock("Flow");
    try {
      want(client.mailbox.exists === 5, `EXISTS ${client.mailbox.exists}`);
      let n = 0;
      for await (const got of client.fetch("1:*", { envelope: true, flags: true, source: true, bodyStructure: true, internalDate: true, size: true })) {
        want(got.source.toString() === mail(n), `source of ${n}`);
        want(got.envelope.subject === `flow ${n}`, `envelope of ${n}`);
        want(got.size === mail(n).length, `size of ${n}`);
        want(got.bodyStructure.type === "text/plain", `structure of ${n}`);
        want(got.flags.has("\\Seen") === (n === 0), `flags of ${n}`);
        n += 1;
      }
      want(n === 5, `${n} fetched`);
    } finally {
      lock.release();
    }
  });
  await check("search, store, copy, move, delete", async () => {
    const lock = await client.getMailboxLock("Flow");
    try {
      const found = await client.search({ subject: "flow 3" }, { uid: true });
      want(found.length === 1, `found ${found}`);
      want((await client.search({ unseen: true })).length === 4, "unseen");
      want(await client.messageFlagsAdd("2:3", ["\\Flagged", "Custom"]), "flags add");
      want((await client.search({ flagged: true })).length === 2, "flagged");
      await client.mailboxCreate("Flow Copy");
      const copied = await client.messageCopy("1:2", "Flow Copy");
      want(copied.uidMap.size === 2, "COPYUID");
      const moved = await client.messageMove(found, "Flow Copy", { uid: true });
      want(moved.uidMap.size === 1, "COPYUID of MOVE");
      want(client.mailbox.exists === 4, `EXISTS ${client.mailbox.exists} after MOVE`);
      await client.messageDelete("1");
      want(client.mailbox.exists === 3, `EXISTS ${client.mailbox.exists} after delete`);
      want((await client.status("Flow Copy", { messages: true })).messages === 3, "copies");
    } finally {
      lock.release();
    }
  });
  await check("idle: another session's append is heard", async () => {
    const other = open(true);
    await other.connect();
    await client.mailboxOpen("Flow");
    const heard = new Promise((resolve) => client.once("exists", resolve));
    const idling = client.idle();
    await other.append("Flow", mail(9));
    const event = await heard;
    want(event.count === 4, `count ${event.count}`);
    await client.noop();
    await idling;
    await other.logout();
  });
  await check("NOTIFY: another session's append and flags are heard without IDLE", async () => {
    if (!client.capabilities.has("NOTIFY")) return;
    const atom = (value) => ({ type: "ATOM", value });
    const events = ["MessageNew", "MessageExpunge", "FlagChange"].map(atom);
    const notify = async (...what) => (await client.exec("NOTIFY", what)).next();
    await notify(atom("SET"), [atom("SELECTED-DELAYED"), events]);
    const other = open(true);
    await other.connect();
    const heard = new Promise((resolve) => client.once("exists", resolve));
    await other.append("Flow", mail(10));
    want((await heard).count === 5, "EXISTS");
    const flagged = new Promise((resolve) => client.once("flags", resolve));
    await other.mailboxOpen("Flow");
    await other.messageFlagsAdd("1", ["\\Answered"]);
    want((await flagged).flags.has("\\Answered"), "FETCH of flags");
    await other.logout();
  });
  await check("quota, rename, delete mailbox, log out", async () => {
    const quota = await client.getQuota("INBOX");
    want(quota && quota.storage && quota.storage.limit === 1024 * 1024 * 1024, JSON.stringify(quota));
    await client.mailboxClose();
    await client.mailboxRename("Flow Copy", "Flow Moved");
    await client.mailboxDelete("Flow Moved");
    await client.mailboxDelete("Flow");
    await client.logout();
  });
}
console.log(`checks: ${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
