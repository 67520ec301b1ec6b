import { beforeAll, describe, expect, it } from "vitest";
import { readExamples, writeExamples } from "../seed/support/examples-folder.ts";
import { NOT_TYPECHECKED } from "../seed/support/exceptions.ts";
import { COMPILERS, typecheck } from "../seed/support/typecheck.ts";

// The same as tests/seed/typecheck.test.ts, on the declarations that users get and with the compilers
// that they have (contract: api 22).
const examples = (await readExamples()).filter(({ heading }) => !(heading in NOT_TYPECHECKED));
const versions = Object.keys(COMPILERS) as (keyof typeof COMPILERS)[];

describe.each(versions)(
	"the guide's examples on the built packages with TypeScript %s",
	(version) => {
		let errors: Map<string, string[]>;

		beforeAll(async () => {
			await using folder = await writeExamples(examples);
			errors = await typecheck(folder, [], version);
		});

		it("need nothing outside of them", () => {
			expect(errors.get("")).toBeUndefined();
		});

		it.each(examples)("$title compiles", ({ id }) => {
			expect(errors.get(id) ?? []).toEqual([]);
		});
	},
);
