export { type SetupTestResult, setupTest, type TestContext } from "./setup-test.ts";
