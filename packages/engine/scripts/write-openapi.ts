/** Writes `docs/openapi.json` from the schemas of the management API. */
import { readFileSync, writeFileSync } from "node:fs";
import { openApiDocument } from "../src/api/openapi.ts";

const manifest = new URL("../package.json", import.meta.url);
const target = new URL("../../../docs/openapi.json", import.meta.url);
const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
writeFileSync(target, `${JSON.stringify(openApiDocument(version), null, "\t")}\n`);
