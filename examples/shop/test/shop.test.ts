import { join } from "node:path";
import { exampleServer } from "example-support/server";
import { expectTranscript } from "example-support/transcript";
import { it } from "vitest";

const server = exampleServer(join(import.meta.dirname, ".."));

it("does what its README shows", () => expectTranscript(server));
