export type { FakeTimeOptions, TestTime } from "./fake-time.ts";
export {
	type SetupTestOptions,
	type SetupTestResult,
	setupTest,
	type TestContext,
} from "./setup-test.ts";
