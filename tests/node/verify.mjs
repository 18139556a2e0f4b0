// Verifies callbacks as a receiver in JavaScript does: v1 with the standardwebhooks package, v1a
// with Node's own crypto and a JWK Set.
//
// stdin: {"deliveries": [{"headers": {…}, "body": base64}], "secrets": [whsec_…], "jwks": {…}}
// stdout: {"v1": for each delivery, for each secret: whether it verifies, "v1a": the same for keys}

import { createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { Webhook } from "standardwebhooks";

function isVerified(secret, { headers, body }) {
  try {
    new Webhook(secret).verify(Buffer.from(body, "base64"), headers);
    return true;
  } catch (error) {
    if (error.name === "WebhookVerificationError") return false;
    throw error;
  }
}

function isSigned(jwk, { headers, body }) {
  const key = createPublicKey({ key: jwk, format: "jwk" });
  const head = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.`;
  const signed = Buffer.concat([Buffer.from(head), Buffer.from(body, "base64")]);
  return headers["webhook-signature"]
    .split(" ")
    .filter((signature) => signature.startsWith("v1a,"))
    .some((signature) => verify(null, signed, key, Buffer.from(signature.slice(4), "base64")));
}

const { deliveries, secrets, jwks } = JSON.parse(readFileSync(0, "utf8"));
const found = {
  v1: deliveries.map((delivery) => secrets.map((secret) => isVerified(secret, delivery))),
  v1a: deliveries.map((delivery) => jwks.keys.map((jwk) => isSigned(jwk, delivery))),
};
console.log(JSON.stringify(found));
