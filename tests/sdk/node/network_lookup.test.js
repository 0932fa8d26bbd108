/** Recipients' networks by a lookup over HTTP, which the customer's own server answers. operations.md. */
"use strict";

const assert = require("node:assert/strict");
const { once } = require("node:events");
const http = require("node:http");
const test = require("node:test");
const { start, usNumber } = require("./harness");

/** What is answered by number, and who was asked for. */
const answers = {};
const asked = [];
const lookup = http.createServer(({ url, headers }, response) => {
  const number = url.split("/").pop();
  asked.push(number);
  const isAllowed = headers.authorization === "Bearer a token";
  const [status, body] = isAllowed ? answers[number] ?? [404] : [401];
  response.writeHead(status).end(body && JSON.stringify(body));
});
test.after(() => lookup.close());

const world = start(test, async () => {
  lookup.listen(0, "127.0.0.1");
  await once(lookup, "listening");
  return `
[networks]
lookup_url = "http://127.0.0.1:${lookup.address().port}/networks/{number}"
lookup_token = "a token"
allow_private_networks = true
`;
});

/** A service, its short code, which reaches one network, and its number. */
async function senders() {
  const account = await world.account();
  const code = await account.shortCode(undefined, "US", { ServedNetworks: "310-410" });
  const number = await account.number();
  const service = await account.service([number], { stickySender: false });
  await service.shortCodes.create({ shortCodeSid: code.sid });
  return { account, service, code: code.short_code, number: number.phoneNumber };
}

/** A name, the answer, whether the short code has the message, the network that is known. */
const ANSWERS = [
  ["a network that is served", [200, { mcc: "310", mnc: "410" }], true, "310-410"],
  ["another one, as numbers", [200, { mcc: 311, mnc: 480 }], false, "311-480"],
  ["nobody knows", [200, { mcc: null, mnc: null }], true, null],
  ["no content", [204], true, null],
  ["a failure", [500], true, null],
  ["nonsense", [200, ["?"]], true, null],
];

test("a lookup decides whether a short code reaches its recipient", async () => {
  const { account, service, code, number } = await senders();
  for (const [name, answer, isServed, network] of ANSWERS) {
    const to = usNumber();
    answers[to.slice(1)] = answer;
    const { sid, from } = await account.sent(service, { to });
    assert.equal(from, isServed ? code : number, name);
    const { decision, candidates } = await account.ours("get", `Explain/${sid}`);
    assert.equal(decision.network, network, name);
    const { rule } = candidates.find(({ sender }) => sender === code);
    assert.equal(rule, isServed ? "short_code" : "network_not_served", name);
  }
});

test("an answer is remembered, and nobody is asked where it does not matter", async () => {
  const { account, service, code } = await senders();
  const to = usNumber();
  answers[to.slice(1)] = [200, { mcc: "310", mnc: "410" }];
  const data = { To: to, MessagingServiceSid: service.sid };
  for (const source of ["http", "cache", "cache"]) {
    const { recipient_network: told } = await account.ours("post", "Explain", { data });
    assert.equal(told.source, source);
  }
  assert.equal((await account.sent(service, { to })).from, code);
  assert.equal(asked.filter((number) => number === to.slice(1)).length, 1);

  const plain = await account.service([await account.number()]);
  const other = usNumber();
  await account.sent(plain, { to: other });
  assert.ok(!asked.includes(other.slice(1)));
});
