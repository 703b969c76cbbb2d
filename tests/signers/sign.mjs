// Signs as the libraries of npm do: {"library", "secret", "id", "timestamp", "body"} in, the signature out.
import { readFileSync } from "node:fs";
import * as standardwebhooks from "standardwebhooks";
import * as svix from "svix";

const { library, secret, id, timestamp, body } = JSON.parse(readFileSync(0, "utf8"));
const { Webhook } = { standardwebhooks, svix }[library];
process.stdout.write(new Webhook(secret).sign(id, new Date(timestamp * 1000), body));
