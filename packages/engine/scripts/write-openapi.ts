/** Writes `docs/openapi.json` and `docs/openapi-engine.json` from the schemas of the management APIs. */
import { readFileSync, writeFileSync } from "node:fs";
import { engineOpenApiDocument } from "../src/api/engine-openapi.ts";
import { openApiDocument } from "../src/api/openapi.ts";

const manifest = new URL("../package.json", import.meta.url);
const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };

function write(name: string, document: object): void {
	const target = new URL(`../../../docs/${name}`, import.meta.url);
	writeFileSync(target, `${JSON.stringify(document, null, "\t")}\n`);
}

write("openapi.json", openApiDocument(version));
write("openapi-engine.json", engineOpenApiDocument(version));
