/** A program that knows nothing of Postrider reaches it under `postrider run`. api.md 10, way A. */
"use strict";

const assert = require("node:assert/strict");
const { execFile } = require("node:child_process");
const test = require("node:test");
const { BINARY } = require("./harness");

/** What a customer's program looks like before it has heard of us. */
const PROGRAM = `
const client = require("twilio")(process.env.TWILIO_ACCOUNT_SID, process.env.TWILIO_AUTH_TOKEN);
(async () => {
  const number = await client.incomingPhoneNumbers.create({ phoneNumber: "+14155550101" });
  const service = await client.messaging.v1.services.create({ friendlyName: "unmodified" });
  await client.messaging.v1.services(service.sid).phoneNumbers.create({ phoneNumberSid: number.sid });
  for (let n = 0; n < 4; n++) {
    await client.messages.create({ messagingServiceSid: service.sid, to: "+14155550199", body: "Hello" });
  }
  const listed = await client.messages.list({ pageSize: 2 });
  let message;
  do {
    await new Promise((resolve) => setTimeout(resolve, 50));
    message = await client.messages(listed[0].sid).fetch();
  } while (message.status !== "delivered");
  console.log(listed.length, message.status, message.from);
})();
`;

test("a program as it is reaches the throw-away server", { timeout: 60_000 }, async () => {
  const stdout = await new Promise((resolve, reject) => {
    execFile(BINARY, ["run", "--", process.execPath, "-e", PROGRAM], (error, out, err) =>
      error ? reject(new Error(`${error.message}\n${err}`)) : resolve(out),
    );
  });
  assert.equal(stdout, "4 delivered +14155550101\n");
});
