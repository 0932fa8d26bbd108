/**
 * A Postrider process, a receiver for its status callbacks, and the small steps that tests share.
 *
 * Each test file starts one server and works in subaccounts of it: `const world = start(test)`.
 */
"use strict";

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const { randomBytes } = require("node:crypto");
const { once } = require("node:events");
const fs = require("node:fs");
const http = require("node:http");
const os = require("node:os");
const path = require("node:path");
const readline = require("node:readline");
const twilio = require("twilio");

const ROOT = path.resolve(__dirname, "../../..");
const BINARY = process.env.POSTRIDER_BIN || path.join(ROOT, "target/release/postrider");
const READY_MS = 20_000;
const PRODUCTS = ["api", "messaging", "conversations", "content", "monitor", "accounts"];

/** Pace is tested elsewhere; no [[carriers]] means the simulator, which delivers. `more` is appended. */
const CONFIG = (directory, more) => `
[store]
url = "sqlite://${directory}/data"
[webhooks]
allow_private_networks = true
[pace]
long_code = 0
toll_free = 0
short_code = 0
alpha = 0
whatsapp = 0
${more}
`;

const FINAL = ["delivered", "undelivered", "failed", "canceled"];

let numbers = 0;
/** A number that every numbering-plan library calls valid, given out once. */
const usNumber = () => `+1415555${String(++numbers).padStart(4, "0")}`;
/** One of an area code, with the digits that no customer of a carrier has. */
const usNumberIn = (areaCode) => `+1${areaCode}555${String((++numbers % 1000) + 5000)}`;
const ukNumber = () => `+447700${String(++numbers).padStart(6, "0")}`;
const shortCode = () => String(50_000 + ++numbers);

/** Polls `look` until `until` holds for its value, and returns the value. */
async function eventually(look, until, what, ms = 15_000) {
  const deadline = Date.now() + ms;
  for (;;) {
    const value = await look();
    if (until(value)) return value;
    if (Date.now() > deadline) assert.fail(`${what}: not within ${ms} ms; last: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Way B, first form: every product's base URL. */
function byBaseUrl(base, username, password, options = {}) {
  const client = twilio(username, password, options);
  for (const product of PRODUCTS) client[product].baseUrl = `${base}/${product}`;
  return client;
}

/** Way B, second form: an HTTP client that rewrites hosts. */
function byHttpClient(base, username, password, options = {}) {
  const inner = new twilio.RequestClient();
  const httpClient = {
    request(request) {
      const url = new URL(request.uri);
      if (url.hostname.endsWith(".twilio.com")) {
        const product = url.hostname.split(".")[0];
        request = { ...request, uri: `${base}/${product}${url.pathname}${url.search}` };
      }
      return inner.request(request);
    },
  };
  return twilio(username, password, { ...options, httpClient });
}

/** A subaccount, its client, and the steps that most tests begin with. */
class Account {
  constructor(world, sid, authToken, client) {
    Object.assign(this, { world, sid, authToken, client });
  }

  /** Something of ours, below `/x/v1/`, by the SDK's request for what it has no class for. */
  async ours(method, name, { data, params, headers, status = [200, 201, 204] } = {}) {
    const uri = `${this.world.url}/x/v1/${name}`;
    const answer = await this.client.request({ method, uri, data, params, headers });
    assert.ok(
      [status].flat().includes(answer.statusCode),
      `${name}: ${answer.statusCode} ${JSON.stringify(answer.body)}`,
    );
    return answer.body;
  }

  number(phoneNumber = usNumber()) {
    return this.client.incomingPhoneNumbers.create({ phoneNumber });
  }

  /** Says what a number can do, which is for its owner to say: `{ MmsEnabled: "true" }`. */
  async enabled(number, data) {
    const path = `/2010-04-01/Accounts/${this.sid}/IncomingPhoneNumbers/${number.sid}.json`;
    const uri = `https://api.twilio.com${path}`;
    const answer = await this.client.request({ method: "post", uri, data });
    assert.equal(answer.statusCode, 200);
    return number;
  }

  shortCode(code = shortCode(), country = "US", more = {}) {
    const data = { ShortCode: code, IsoCountry: country, ...more };
    return this.ours("post", "ShortCodes", { data });
  }

  whatsapp(number, parts = {}) {
    const request = { sender_id: `whatsapp:${number}`, ...parts };
    return this.client.messaging.v2.channelsSenders.create(request);
  }

  /** A service with these numbers in its pool, as the SDK's context: `.phoneNumbers` and so on. */
  async service(numbers = [], parameters = {}) {
    const { services } = this.client.messaging.v1;
    const { sid } = await services.create({ friendlyName: "test", ...parameters });
    const service = services(sid);
    for (const { sid: phoneNumberSid } of numbers) await service.phoneNumbers.create({ phoneNumberSid });
    return Object.assign(service, { sid });
  }

  /** By which sender the recipient knows the service, if it does. */
  async stickySender({ sid }, to) {
    const name = `StickySenders/${sid}/${encodeURIComponent(to)}`;
    return (await this.ours("get", name, { status: [200, 404] })).from;
  }

  /** A simulated phone writes to one of our senders. */
  handsetTexts(handset, to) {
    const data = { To: to, Body: "Hello" };
    return this.ours("post", `Simulator/Handsets/${encodeURIComponent(handset)}`, { data });
  }

  /** A message through the service, once it has reached a final status, which must be `status`. */
  async sent({ sid: messagingServiceSid }, { status = "delivered", ...parameters } = {}) {
    const message = { to: usNumber(), messagingServiceSid, body: "hello", ...parameters };
    return this.settled(await this.client.messages.create(message), status);
  }

  async settled({ sid }, status = "delivered") {
    const fetch = () => this.client.messages(sid).fetch();
    const message = await eventually(fetch, (it) => FINAL.includes(it.status), `an end of ${sid}`);
    assert.equal(message.status, status, `error ${message.errorCode}`);
    return message;
  }
}

/** Starts server and receiver before the file's tests and stops them after. A `config` may wait for something. */
function start({ before, after }, config = "") {
  const world = {
    accountSid: "AC" + randomBytes(16).toString("hex"),
    authToken: randomBytes(16).toString("hex"),
    receiver: new Receiver(),

    /** A fresh subaccount with a client for it. */
    async account(way = byHttpClient) {
      const main = byHttpClient(world.url, world.accountSid, world.authToken);
      const { sid, authToken } = await main.api.v2010.accounts.create({ friendlyName: "a test's own" });
      return new Account(world, sid, authToken, way(world.url, sid, authToken));
    },

    /** POSTs a form to our own API. */
    async extension(name, form, sid = world.accountSid, token = world.authToken) {
      const answer = await fetch(`${world.url}/x/v1/${name}`, {
        method: "POST",
        headers: { Authorization: "Basic " + Buffer.from(`${sid}:${token}`).toString("base64") },
        body: new URLSearchParams(form),
      });
      const text = await answer.text();
      assert.ok(answer.ok, `${name}: ${answer.status} ${text}`);
      return JSON.parse(text);
    },
  };

  let directory;
  let server;
  const log = () => fs.readFileSync(path.join(directory, "postrider.log"), "utf8");

  /** Another configuration, in force once this has come to its end. */
  world.reload = async (more) => {
    const reloads = () => log().split("are reloaded").length;
    const before = reloads();
    fs.writeFileSync(world.config, CONFIG(directory, more));
    server.kill("SIGHUP");
    await eventually(reloads, (count) => count > before, "a reload");
  };

  before(async () => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), "postrider-"));
    world.config = path.join(directory, "postrider.toml");
    const more = typeof config === "function" ? await config() : config;
    fs.writeFileSync(world.config, CONFIG(directory, more));
    const logged = fs.openSync(path.join(directory, "postrider.log"), "a");
    server = spawn(BINARY, ["serve", "--config", world.config, "--listen", "127.0.0.1:0"], {
      env: {
        ...process.env,
        POSTRIDER_ACCOUNT_SID: world.accountSid,
        POSTRIDER_AUTH_TOKEN: world.authToken,
      },
      stdio: ["ignore", "pipe", logged],
    });
    await once(server, "spawn");
    readline.createInterface({ input: server.stdout }).on("line", (line) => {
      world.url ??= /^listening on (http:\/\/127\.0\.0\.1:\d+)\s*$/.exec(line)?.[1];
    });
    await eventually(
      () => server.exitCode ?? server.signalCode ?? world.url,
      (seen) => seen !== undefined && seen !== null,
      "the line `listening on http://...`",
      READY_MS,
    );
    assert.ok(world.url, log());
    const ready = async () => (await fetch(`${world.url}/readyz`)).status;
    await eventually(ready, (status) => status === 200, "/readyz", READY_MS);
    await world.receiver.listen();
  });
  after(async () => {
    world.receiver.close();
    if (server?.exitCode === null && server.signalCode === null) {
      const exit = once(server, "exit");
      server.kill("SIGTERM");
      const [code] = await exit;
      assert.equal(code, 0, "SIGTERM ends serve with 0");
    }
    if (directory) fs.rmSync(directory, { recursive: true, force: true });
  });
  return world;
}

/** A customer's application: writes down every request, answers 204 or what it is told to say. */
class Receiver {
  #requests = [];
  #documents = new Map();
  #paths = 0;
  #server = http.createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (piece) => (body += piece));
    request.on("end", () => {
      const { method, headers } = request;
      const { pathname, searchParams } = new URL(this.base + request.url);
      const form = method === "POST" ? new URLSearchParams(body) : searchParams;
      const fields = Object.fromEntries(form);
      this.#requests.push({ url: this.base + request.url, method, headers, fields });
      const document = this.#documents.get(pathname);
      if (document === undefined) response.writeHead(204).end();
      else response.writeHead(200, { "Content-Type": "text/xml" }).end(document);
    });
  });

  async listen() {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    this.base = `http://127.0.0.1:${this.#server.address().port}`;
  }

  url(rest = "") {
    return `${this.base}/callbacks/${++this.#paths}${rest}`;
  }

  /** Answers requests to `url` with this, such as the SDK's `MessagingResponse`. */
  say(url, document) {
    this.#documents.set(new URL(url).pathname, String(document));
  }

  requests(url) {
    const { pathname } = new URL(url);
    return this.#requests.filter((request) => new URL(request.url).pathname === pathname);
  }

  /** Every request to `url` once one with `lastStatus` is among them. */
  waitFor(url, lastStatus) {
    return eventually(
      () => this.requests(url),
      (requests) => requests.some((request) => request.fields.MessageStatus === lastStatus),
      `a callback with status ${lastStatus}`,
    );
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

/** The promise must reject with the SDK's exception holding this code and status. */
async function refused(code, status, promise) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.code, code, `${error.status} ${error.code}: ${error.message}`);
    assert.equal(error.status, status, `${error.status} ${error.code}: ${error.message}`);
    return true;
  });
}

/** The message once it is delivered. */
function delivered(client, { sid }) {
  return eventually(
    () => client.messages(sid).fetch(),
    (message) => message.status === "delivered",
    `${sid} delivered`,
  );
}

module.exports = {
  BINARY,
  ROOT,
  start,
  byBaseUrl,
  byHttpClient,
  delivered,
  eventually,
  refused,
  shortCode,
  usNumber,
  usNumberIn,
  ukNumber,
};
