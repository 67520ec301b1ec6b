import { beforeAll, describe, expect, it } from "vitest";
import { readExamples, writeExamples } from "../seed/support/examples-folder.ts";
import { NOT_TYPECHECKED } from "../seed/support/exceptions.ts";
import { typecheck } from "../seed/support/typecheck.ts";

// The same as tests/seed/typecheck.test.ts, on the declarations that users get.
const examples = await readExamples();
let errors: Map<string, string[]>;

beforeAll(async () => {
	await using folder = await writeExamples(examples);
	errors = await typecheck(folder, []);
}, 120_000);

describe("the guide's examples on the built packages", () => {
	it("do not need anything outside of them", () => {
		expect(errors.get("")).toBeUndefined();
	});

	it.each(examples.filter(({ heading }) => !(heading in NOT_TYPECHECKED)))(
		"$title compiles",
		({ id }) => {
			expect(errors.get(id) ?? []).toEqual([]);
		},
	);
});
