import { ApiError } from "../api/errors.ts";
import { Empty, Failure } from "../ui/notice.tsx";

/** Why there is nothing: this server does not have it, or something went wrong. */
export function NotOffered({ what, error }: { what: string; error: unknown }) {
	if (!(error instanceof ApiError) || error.status !== 404) return <Failure error={error} />;
	return (
		<Empty title={`This server has no ${what}`}>
			Its version does not record them, or recording is turned off there.
		</Empty>
	);
}
