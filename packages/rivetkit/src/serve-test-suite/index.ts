/**
 * `rivetkit/serve-test-suite`: what a server has to pass on when it serves a registry with
 * `registry.handler()` or `registry.serve()`, as tests. With Vitest:
 *
 *     import { describe, expect, it } from "vitest";
 *     import { testServing } from "rivetkit/serve-test-suite";
 *
 *     testServing({ describe, it, expect }, { name: "my server", serve: startMyServer });
 */
import type { TestFramework } from "../driver-test-suite/framework.ts";
import { callTests } from "./call-tests.ts";
import { rawTests } from "./raw-tests.ts";
import { type ServeSetup, Subject } from "./served-registry.ts";
import type { SuiteContext } from "./suite-context.ts";

export type { Expectation, TestFramework } from "../driver-test-suite/framework.ts";
export type { ServedRegistry, ServeSetup } from "./served-registry.ts";

/** Defines the tests. Each one starts a registry in memory and a server for it, and stops both. */
export function testServing(framework: TestFramework, setup: ServeSetup): void {
	const context: SuiteContext = {
		setup,
		expect: (value, message) => framework.expect(value, message),
		test(name, body) {
			framework.it(name, async () => {
				const subject = await Subject.start(setup);
				try {
					await body(subject);
				} finally {
					await subject.close();
				}
			});
		},
	};
	framework.describe(`a registry behind ${setup.name}`, () => {
		framework.describe("calls", () => callTests(context));
		framework.describe("raw requests", () => rawTests(context));
	});
}
