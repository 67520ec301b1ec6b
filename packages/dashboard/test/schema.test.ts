import { expect, it } from "vitest";
import { z } from "zod";
import { describeArguments, exampleArguments } from "../src/app/values/schema.ts";

const schemaOf = (type: z.ZodType): object => z.toJSONSchema(type, { io: "input" });

it.each<[string, z.ZodType, string, unknown]>([
	["text", z.string(), "string", ""],
	["a number", z.int().min(3), "whole number", 3],
	["one of some", z.enum(["a", "b"]), '"a" | "b"', "a"],
	["a constant", z.literal(5), "5", 5],
	["perhaps null", z.number().nullable(), "number | null", 0],
	["a list", z.array(z.string()), "string[]", []],
	["a list of choices", z.array(z.union([z.string(), z.number()])), "(string | number)[]", []],
	["a pair", z.tuple([z.string(), z.boolean()]), "[string, boolean]", ["", false]],
	["by name", z.record(z.string(), z.number()), "{ [name]: number }", {}],
	["anything", z.any(), "any", null],
	[
		"an object",
		z.object({ name: z.string(), age: z.number().optional(), role: z.string().default("user") }),
		"{ name: string, age?: number, role?: string }",
		{ name: "" },
	],
])("%s is described, and there is something to begin with", (_what, type, text, value) => {
	const schema = schemaOf(type);
	expect(describeArguments(schema, false)).toBe(text);
	expect(exampleArguments(schema, false)).toEqual([value]);
	expect(type.safeParse(value).success).toBe(true);
});

it("a list of arguments is taken apart", () => {
	const schema = { type: "array", prefixItems: [{ type: "number" }, {}] };
	expect(describeArguments(schema, true)).toBe("number, any");
	expect(exampleArguments(schema, true)).toEqual([0, null]);
});

it("one that is about itself comes to an end", () => {
	const schema: Record<string, unknown> = { type: "object", required: ["next"] };
	schema.properties = { next: schema };
	expect(describeArguments(schema, false)).toContain("…");
	expect(exampleArguments(schema, false)).toHaveLength(1);
});
