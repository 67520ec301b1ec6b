import { expect, it } from "vitest";
import * as main from "../src/index.ts";
import * as inspector from "../src/inspector/index.ts";
import * as runner from "../src/runner/index.ts";

it("exports exactly these names", () => {
	expect(Object.keys(main).sort()).toMatchSnapshot();
	expect(Object.keys(inspector).sort()).toMatchSnapshot();
	expect(Object.keys(runner).sort()).toMatchSnapshot();
});

it("names every header in lower case, and no two things alike", () => {
	const named = (prefix: string) =>
		Object.entries(main).filter(([name]) => name.startsWith(prefix)) as [string, string][];
	for (const [, header] of named("HEADER_")) expect(header).toMatch(/^x-rivet-[a-z-]+$/);
	for (const prefix of ["HEADER_", "SUBPROTOCOL_", "PATH_", "CAPABILITY_"]) {
		const values = named(prefix).map(([, value]) => value);
		expect(values.length).toBeGreaterThan(1);
		expect(new Set(values).size).toBe(values.length);
	}
});
