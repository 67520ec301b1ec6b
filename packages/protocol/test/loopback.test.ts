import { expect, it } from "vitest";
import { foreignName, isLoopbackAddress, isLoopbackHost } from "../src/index.ts";

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

it.each<[Record<string, string>, string | null]>([
	[{}, null],
	[{ host: "localhost:6420", origin: "http://127.0.0.1:5173" }, null],
	[{ host: "app.example" }, "app.example"],
	[{ host: "localhost", origin: "https://evil.example" }, "https://evil.example"],
	// As proxies on this machine tell it.
	[{ host: "127.0.0.1:6420", "x-forwarded-for": "::1, ::ffff:127.0.0.1" }, null],
	[{ host: "127.0.0.1:6420", "x-forwarded-for": "127.0.0.1, 203.0.113.7" }, "203.0.113.7"],
	[{ host: "127.0.0.1:6420", "x-real-ip": "203.0.113.7" }, "203.0.113.7"],
	[{ host: "127.0.0.1:6420", "x-forwarded-host": "localhost:3000" }, null],
	[{ host: "127.0.0.1:6420", "x-forwarded-host": "app.example" }, "app.example"],
	[{ host: "localhost", forwarded: 'for="[::1]:4711";proto=http, for=127.0.0.1' }, null],
	[{ host: "localhost", forwarded: "proto=http;for=203.0.113.7" }, "203.0.113.7"],
	[
		{ host: "localhost", forwarded: 'for=127.0.0.1, for="[2001:db8::1]:4711"' },
		'"[2001:db8::1]:4711"',
	],
	[{ host: "localhost", forwarded: "for=unknown" }, "unknown"],
])("of a request with %o what is not of this machine is %s", (headers, expected) => {
	expect(foreignName(new Headers(headers))).toBe(expected);
});
