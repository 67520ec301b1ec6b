import { DatabaseError } from "pg";
import { expect, it } from "vitest";
import { failureKind } from "../../../src/store/postgres/errors.ts";

const ofServer = (code: string) =>
	Object.assign(new DatabaseError("no", 2, "error"), { severity: "ERROR", code });

it.each([
	["08006", "connection"],
	["57P01", "connection"],
	["25006", "connection"],
	["RVK01", "connection"],
	["40001", "transient"],
	["40P01", "transient"],
	["53100", "transient"],
	["57014", "statement"],
	["23505", "statement"],
])("an error %s of the server is one of the %s", (code, kind) => {
	expect(failureKind(ofServer(code))).toBe(kind);
});

// A code of five capitals, too: whether the transaction was committed is not known.
it.each(["EPIPE", "ECONNRESET"])("%s is the connection's", (code) => {
	expect(failureKind(Object.assign(new Error("write"), { code }))).toBe("connection");
});

it("an error without a code is the connection's", () => {
	expect(failureKind(new Error("Connection terminated unexpectedly"))).toBe("connection");
});
