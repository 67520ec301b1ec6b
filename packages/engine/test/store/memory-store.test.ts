import { createMemoryStore } from "../../src/store/memory/memory-store.ts";
import { storeConformance } from "./conformance/suite.ts";

storeConformance("memory", async (options) => createMemoryStore(options));
