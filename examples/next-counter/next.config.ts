import type { NextConfig } from "next";

const config: NextConfig = {
	// One copy for all of the server, loaded by Node itself.
	serverExternalPackages: ["rivetkit"],
};

export default config;
