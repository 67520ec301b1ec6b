import { CSPProvider } from "@base-ui/react/csp-provider";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { SessionProvider } from "../api/context.tsx";
import { ApiError } from "../api/errors.ts";
import { Toasts } from "../ui/toasts.tsx";
import { Shell } from "./shell.tsx";

const RETRIES_MAX = 2;
const RETRY_DELAY_MS = 400;

const client = new QueryClient({
	defaultOptions: {
		queries: {
			// What the server says will be said again; a network may come back.
			retry: (count, error) => !(error instanceof ApiError) && count < RETRIES_MAX,
			retryDelay: RETRY_DELAY_MS,
		},
	},
});

export function App() {
	return (
		<CSPProvider disableStyleElements>
			<QueryClientProvider client={client}>
				<SessionProvider>
					<Toasts>
						<Shell />
					</Toasts>
				</SessionProvider>
			</QueryClientProvider>
		</CSPProvider>
	);
}
