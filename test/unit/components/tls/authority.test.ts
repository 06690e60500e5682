import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { authorityFrom } from "../../../../components/tls/authority.ts";

const SECRET = "0123456789abcdefghijABCDEFGHIJ0123456789";
const NAME = "transcript-pipeline/prod database CA 1";

/** What clients have been given. A change of it locks them all out. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBpjCCAU2gAwIBAgIQdY4GBQvqLjoPySSLZoQ4DTAKBggqhkjOPQQDAjAxMS8w
LQYDVQQDDCZ0cmFuc2NyaXB0LXBpcGVsaW5lL3Byb2QgZGF0YWJhc2UgQ0EgMTAg
Fw0yNjAxMDEwMDAwMDBaGA85OTk5MTIzMTIzNTk1OVowMTEvMC0GA1UEAwwmdHJh
bnNjcmlwdC1waXBlbGluZS9wcm9kIGRhdGFiYXNlIENBIDEwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAARKcqN8jcXjwC/+ozn0qMDJ/+9nl7yju8kch22N3rE0ShJ4
jVsGo4WF7p1d5myv+NpGjuY9RMQh9+z35VG/rUmOo0UwQzASBgNVHRMBAf8ECDAG
AQH/AgEAMA4GA1UdDwEB/wQEAwIBBjAdBgNVHQ4EFgQUcAt62JSVtyd6SBtD1wOE
ipfmVREwCgYIKoZIzj0EAwIDRwAwRAIgKJAETlTVuXWla1iGzLZo7UPFl3+0+M5j
OJGD9dT9CSgCIFrgicgsLl8obPboOW0DkOmM7qa0PlPMDWp21B3XSnIg
-----END CERTIFICATE-----
`;

describe("a stack's certificate authority", () => {
  it("is the same at each deployment, of each version of this program", () => {
    assert.equal(authorityFrom(SECRET, NAME).certificate, CERTIFICATE);
    assert.deepEqual(authorityFrom(SECRET, NAME), authorityFrom(SECRET, NAME));
  });

  it("is another one for another secret, and has another certificate under another name", () => {
    const [one, other, renamed] = [
      authorityFrom(SECRET, NAME),
      authorityFrom(`${SECRET}x`, NAME),
      authorityFrom(SECRET, `${NAME}0`),
    ];
    assert.notEqual(one.key, other.key);
    assert.notEqual(
      new X509Certificate(one.certificate).serialNumber,
      new X509Certificate(renamed.certificate).serialNumber,
    );
  });

  it("signs servers' certificates and no other authority, with a key that libpq can use", () => {
    const { key, certificate } = authorityFrom(SECRET, NAME);
    const read = new X509Certificate(certificate);
    assert.ok(read.ca);
    assert.ok(read.checkPrivateKey(createPrivateKey(key)));
    assert.ok(read.verify(read.publicKey), "it is signed by itself");
    assert.equal(read.publicKey.asymmetricKeyDetails?.namedCurve, "prime256v1");
    assert.equal(read.subject, `CN=${NAME}`);
    assert.equal(read.issuer, read.subject);
    assert.match(read.toString(), /BEGIN CERTIFICATE/);
  });

  it("does not end by itself", () => {
    assert.match(new X509Certificate(authorityFrom(SECRET, NAME).certificate).validTo, / 9999 /);
  });

  it("has a positive serial number for any secret", () => {
    for (let index = 0; index < 50; index += 1) {
      const { certificate } = authorityFrom(`${SECRET}${index}`, NAME);
      assert.match(new X509Certificate(certificate).serialNumber, /^[4-7]/);
    }
  });
});
