/**
 * `rivetkit/driver-test-suite`: what every `ActorBackend` has to do, as tests. With Vitest:
 *
 *     import { describe, expect, it } from "vitest";
 *     import { testActorBackend } from "rivetkit/driver-test-suite";
 *
 *     testActorBackend({ describe, it, expect }, { name: "my backend", open: openMyBackend });
 */
import { actorTests } from "./actor-tests.ts";
import type { BackendSetup, SuiteContext } from "./backend-under-test.ts";
import { commitTests } from "./commit-tests.ts";
import type { TestFramework } from "./framework.ts";
import { ownershipTests } from "./ownership-tests.ts";
import { randomTests } from "./random-tests.ts";
import { readingTests } from "./reading-tests.ts";

export type { BackendSetup, BackendUnderTest } from "./backend-under-test.ts";
export type { Expectation, TestFramework } from "./framework.ts";

/** Defines the tests. Each one opens a backend of its own and closes it. */
export function testActorBackend(framework: TestFramework, setup: BackendSetup): void {
	const { describe, it } = framework;
	const context: SuiteContext = {
		setup,
		expect: (value, message) => framework.expect(value, message),
		test(name, body) {
			it(name, async () => {
				const subject = await setup.open();
				try {
					await body(subject);
				} finally {
					await subject.close();
				}
			});
		},
	};
	describe(`${setup.name} backend`, () => {
		describe("reading", () => readingTests(context));
		describe("commits", () => commitTests(context));
		describe("ownership", () => ownershipTests(context));
		describe("random programs", () => randomTests(context));
		describe("actors on it", () => actorTests(context));
	});
}
