// Sends one mail by nodemailer with STARTTLS and AUTH; submit.py calls it and looks for the mail.
import { createRequire } from "node:module";

const require = createRequire(process.env.PH_CACHE + "/package.json");
const nodemailer = require("nodemailer");
const user = process.argv[2];
const transport = nodemailer.createTransport({
  host: process.env.PH_HOST,
  port: Number(process.env.PH_SUBMISSION_PORT),
  secure: false,
  requireTLS: true,
  tls: { rejectUnauthorized: false },
  auth: { user, pass: process.env.PH_PASSWORD },
});
await transport.sendMail({
  from: user,
  to: user,
  subject: "nodemailer 驿站",
  text: "hello",
  attachments: [{ filename: "报表.bin", content: Buffer.alloc(100_000, 7) }],
});
