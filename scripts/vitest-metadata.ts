import { runtimePlatform } from "../packages/rivetkit/src/client/transport/http/platform.ts";

/**
 * Before each file of tests that shares its process with others: a client knows for the rest of the process what the
 * server at an endpoint can do, but the systems hand out ports again, and the next server may be another one, of the
 * published package say.
 */
runtimePlatform().metadata.clear();
