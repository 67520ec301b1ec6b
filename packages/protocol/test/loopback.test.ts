import { expect, it } from "vitest";
import { isLoopbackAddress, isLoopbackHost } from "../src/index.ts";

it.each([
	["127.0.0.1", true],
	["127.255.0.9", true],
	["::1", true],
	["::ffff:127.0.0.1", true],
	["0.0.0.0", false],
	["::", false],
	["10.0.0.1", false],
	["127.0.0.1.evil.example", false],
	["1127.0.0.1", false],
	[undefined, false],
	["", false],
])("the address %s is loopback: %s", (address, expected) => {
	expect(isLoopbackAddress(address)).toBe(expected);
});

it.each([
	["localhost", true],
	["LOCALHOST", true],
	["app.localhost", true],
	["127.0.0.1", true],
	["[::1]", true],
	["::1", true],
	["notlocalhost", false],
	["localhost.example", false],
	["0.0.0.0", false],
	["", false],
])("the host %s is loopback: %s", (host, expected) => {
	expect(isLoopbackHost(host)).toBe(expected);
});
