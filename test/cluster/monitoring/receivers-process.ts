/**
 * Servers that messages are sent to, for the node's network: run there, on an address of the node, with a certificate in
 * the environment. Prints their ports, and then what they receive, as JSON, one a line.
 */
import { MailReceiver, WebReceiver } from "../../receivers.ts";

const { ADDRESS = "", KEY = "", CERT = "" } = process.env;
const tls = { key: KEY, cert: CERT };
const [web, mail] = [new WebReceiver(tls), new MailReceiver(tls)];
const say = (what: object) => process.stdout.write(`${JSON.stringify(what)}\n`);
web.onReceived = (request) => say({ web: request });
mail.onReceived = (letter) => say({ mail: letter });
say({ url: await web.start(ADDRESS), mailPort: await mail.start(ADDRESS) });
