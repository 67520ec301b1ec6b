import * as helpers from "rivetkit/driver-helpers";
import { describe, expect, it } from "vitest";
import * as main from "../../src/index.ts";

type Names = Readonly<Record<string, unknown>>;

/** Run, not read: what peers of 2.1.3 call these names by. */
const published = (await import("rivetkit-published/driver-helpers" as string)) as Names;

describe("names that cross the wire (api 19)", () => {
	const texts = Object.entries(published).filter(([, value]) => typeof value === "string");
	/** Theirs for tests of their own; nothing in the contract is routed by it. */
	const notOurs = ["WS_PROTOCOL_PATH"];

	it("the published package has some", () => {
		expect(texts.length).toBeGreaterThan(10);
	});

	it.each(texts.filter(([name]) => !notOurs.includes(name)))(
		"%s is what it is in the published package",
		(name, value) => {
			expect((helpers as Names)[name]).toBe(value);
		},
	);

	it("browsers may send every header that the published package lets them send", () => {
		const theirs = published.ALLOWED_PUBLIC_HEADERS as readonly string[];
		expect(helpers.ALLOWED_PUBLIC_HEADERS).toEqual(expect.arrayContaining([...theirs]));
		expect(new Set(helpers.ALLOWED_PUBLIC_HEADERS).size).toBe(
			helpers.ALLOWED_PUBLIC_HEADERS.length,
		);
	});

	it("the main entry has the contract's share of them", () => {
		expect(main.PATH_CONNECT).toBe("/connect");
		expect(main.PATH_WEBSOCKET_PREFIX).toBe("/websocket/");
		expect(main.ALLOWED_PUBLIC_HEADERS).toBe(helpers.ALLOWED_PUBLIC_HEADERS);
		expect(main.KV_KEYS).toBe(helpers.KEYS);
	});
});
