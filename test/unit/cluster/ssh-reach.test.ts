import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fingerprint, hostKeyOf, objectionToPrivateKey } from "../../../config/ssh-host-key.ts";
import { aliasOf, lookAtSsh, offeredAlgorithms, sshFindings } from "../../../cluster/ssh-reach.ts";
import { readSettings } from "../../../config.ts";
import { changed } from "../../settings.ts";
import { ed25519HostKey, userKey } from "../../ssh-keys.ts";
import { obstacleToSshd, Sshd } from "../../sshd.ts";
import { skip } from "../../skip.ts";

const messageFor = (path: string, value: unknown): string => {
  try {
    readSettings("prod", changed(path, value));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return "";
};

describe("a host's key in the configuration", () => {
  it("is one complete public key", () => {
    const key = ed25519HostKey();
    for (const value of [key, `${key} root@gen8`]) assert.equal(messageFor("node.sshHostKey", value), "");
    for (const value of [
      "ssh-ed25519 AAAA",
      key.slice(0, 40),
      `gen8 ${key}`,
      `${key}\n${key}`,
      key.replace("ssh-ed25519", "ssh-rsa"),
      key.replace("ssh-ed25519", "sk-ssh-ed25519@openssh.com"),
      "SHA256:jDOsxYWAKxG1vFZ9pRkvIFrTNrJRMqgMSmqvYmJYvKM",
      "# gen8:22 SSH-2.0-OpenSSH_9.2p1",
    ])
      assert.match(
        messageFor("node.sshHostKey", value),
        /node\.sshHostKey: is "[^]*ssh-keyscan -t ed25519 <host>/,
        value,
      );
  });

  it("of an IPv6 address is reached without brackets", () => {
    for (const host of ["gen8", "gen8.example", "192.168.1.5", "fd00::5", "fe80::1%eth0"])
      assert.equal(messageFor("node.sshHost", host), "", host);
    for (const host of ["[fd00::5]", "root@gen8", "gen8:2222", "ssh://gen8", "-oProxyCommand=x"])
      assert.match(
        messageFor("node.sshHost", host),
        /without brackets; set a user in node\.sshUser, a port in node\.sshPort/,
        host,
      );
  });
});

describe("the private key for the node", () => {
  it("is one that needs no passphrase", () => {
    assert.equal(objectionToPrivateKey(userKey()), undefined);
    assert.equal(objectionToPrivateKey(userKey().replaceAll("\n", "\r\n")), undefined);
    assert.match(
      objectionToPrivateKey(`${ed25519HostKey()} anna@laptop`) ?? "",
      /\(this is the public one\)/,
    );
    assert.match(objectionToPrivateKey("PuTTY-User-Key-File-3: ssh-ed25519\n") ?? "", /puttygen/);
    assert.match(objectionToPrivateKey("~/.ssh/id_ed25519") ?? "", /from its BEGIN line/);
    const encrypted = userKey().replaceAll("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    assert.match(objectionToPrivateKey(encrypted) ?? "", /has a passphrase.*SSH agent/);
  });

  it("is not repeated when it is refused", () => {
    const key = userKey().replace("-----BEGIN", "----BEGIN");
    const message = messageFor("secrets.sshPrivateKey", key);
    assert.match(message, /secrets\.sshPrivateKey: is invalid\. Allowed: /);
    assert.ok(!message.includes(key.split("\n")[1] ?? "?"));
  });
});

describe("a look at the node's SSH server", function () {
  this.timeout(60_000);
  let sshd: Sshd;
  before(async function () {
    const obstacle = obstacleToSshd();
    if (obstacle !== undefined) {
      skip(this, obstacle);
    }
    sshd = new Sshd();
    await sshd.start(["ecdsa", "rsa", "ed25519"]);
  });
  after(() => sshd?.stop());

  const found = async (host: string, hostKey: string, port = sshd.port, options: string[] = []) => {
    const target = { host, port, hostKey };
    return sshFindings(target, await lookAtSsh(target, options));
  };

  it("accepts its own keys, by IPv4, IPv6 and name", async () => {
    for (const host of ["127.0.0.1", "::1", "localhost"])
      for (const kind of ["ed25519", "ecdsa"] as const)
        assert.deepEqual(await found(host, sshd.hostKey(kind)), [], host);
  });

  it("shows both keys if it is another host", async () => {
    sshd.makeKey("other", "ed25519");
    const other = readFileSync(join(sshd.directory, "other.pub"), "utf8").trim();
    const [finding, ...more] = await found("127.0.0.1", other);
    assert.deepEqual(more, []);
    assert.equal(finding?.key, "node.sshHostKey");
    assert.equal(finding.certain, true);
    const [wanted, has] = [hostKeyOf(other), hostKeyOf(sshd.hostKey("ed25519"))];
    assert.ok(wanted && has);
    assert.ok(
      finding.message.startsWith(
        `is ${fingerprint(wanted)}, but 127.0.0.1 has ${fingerprint(has)}: it is another host`,
      ),
    );
    assert.match(finding.message, new RegExp(`ssh-keyscan -p ${sshd.port} -t ed25519 127\\.0\\.0\\.1`));
    assert.doesNotMatch(finding.message, /\n/);
  });

  it("knows that the engine's client and a server of today cannot agree on an RSA key", async () => {
    const [finding] = await found("127.0.0.1", sshd.hostKey("rsa"));
    assert.equal(finding?.key, "node.sshHostKey");
    assert.match(finding.message, /^is of the kind ssh-rsa, but 127\.0\.0\.1 offers .*SHA-1.*ssh-keyscan/);
  });

  it("takes an RSA key where the server still signs as the client asks", async () => {
    const old = new Sshd();
    try {
      await old.start(["rsa"], ["HostKeyAlgorithms +ssh-rsa"]);
      assert.deepEqual(await found("127.0.0.1", old.hostKey("rsa"), old.port), []);
      const [finding] = await found("127.0.0.1", ed25519HostKey(), old.port);
      assert.match(
        finding?.message ?? "",
        /^is of the kind ssh-ed25519, but 127\.0\.0\.1 offers rsa-sha2-512.*no kind in common/,
      );
    } finally {
      await old.stop();
    }
  });

  it("says what an alias of ~/.ssh/config stands for", async () => {
    const config = join(sshd.directory, "ssh-config");
    writeFileSync(config, `Host rack.invalid\n  HostName 127.0.0.1\n  Port ${sshd.port}\n  User anna\n`);
    const [finding] = await found("rack.invalid", sshd.hostKey("ed25519"), 22, ["-F", config]);
    assert.equal(finding?.key, "node.sshHost");
    assert.equal(finding.certain, true);
    assert.match(
      finding.message,
      new RegExp(
        `is "rack\\.invalid", which cannot be resolved: it is an alias in ~/\\.ssh/config.*node\\.sshHost 127\\.0\\.0\\.1; .*node\\.sshPort ${sshd.port}; .*node\\.sshUser anna$`,
      ),
    );
    assert.equal(await aliasOf("gen8.invalid", ["-F", "none"]), undefined);
    const [unknown] = await found("gen8.invalid", sshd.hostKey("ed25519"), 22, ["-F", "none"]);
    assert.match(unknown?.message ?? "", /^is "gen8\.invalid", which cannot be resolved\. Set it:/);
    assert.equal(unknown?.certain, false);
  });
});

describe("what answers at the node's SSH port", () => {
  const key = ed25519HostKey();
  const against = async (words: string) => {
    const server = createServer((socket) => void socket.on("error", () => undefined).end(words)).listen(
      0,
      "127.0.0.1",
    );
    await once(server, "listening");
    const target = { host: "127.0.0.1", port: (server.address() as AddressInfo).port, hostKey: key };
    const [finding] = sshFindings(target, await lookAtSsh(target));
    server.close();
    return finding?.message ?? "";
  };

  it("is distinguished from an SSH server", async () => {
    assert.match(
      await against("HTTP/1.1 400 Bad Request\r\n\r\n"),
      /no SSH server answers there .*: what answers is not an SSH server/,
    );
    assert.match(await against(""), /closed before an SSH server identified itself/);
    assert.match(await against("SSH-2.0-x\r\n"), /closed before/);
    const target = { host: "127.0.0.1", port: 1, hostKey: key };
    const [refused] = sshFindings(target, await lookAtSsh(target));
    assert.match(
      refused?.message ?? "",
      /^is "127\.0\.0\.1", and no SSH server answers there on port 1: ECONNREFUSED/,
    );
    assert.equal(refused?.certain, false);
  });

  it("is read however it is cut into pieces, and whatever lines come first", () => {
    const list = (names: string) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(names.length);
      return Buffer.concat([length, Buffer.from(names)]);
    };
    const payload = Buffer.concat([
      Buffer.from([20]),
      Buffer.alloc(16),
      list("curve25519-sha256"),
      list("ssh-ed25519,rsa-sha2-512"),
    ]);
    const head = Buffer.alloc(5);
    head.writeUInt32BE(payload.length + 1 + 4);
    head.writeUInt8(4, 4);
    const whole = Buffer.concat([Buffer.from("welcome\r\nSSH-2.0-test\r\n"), head, payload, Buffer.alloc(4)]);
    for (let length = 0; length < whole.length; length++)
      assert.equal(offeredAlgorithms(whole.subarray(0, length)), undefined, String(length));
    assert.deepEqual(offeredAlgorithms(whole), ["ssh-ed25519", "rsa-sha2-512"]);
  });
});
