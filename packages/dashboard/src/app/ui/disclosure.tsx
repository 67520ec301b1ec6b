import { ChevronRight } from "lucide-react";
import { type ReactNode, useState } from "react";
import "./disclosure.css";

/** A line that opens to show more. What is inside exists only while it is open. */
export function Disclosure({
	label,
	summary,
	tools,
	children,
}: {
	/** Read out with the button that opens it. */
	label: string;
	summary: ReactNode;
	tools?: ReactNode;
	children: () => ReactNode;
}) {
	const [isOpen, setOpen] = useState(false);
	return (
		<div className="disclosure">
			<div className="disclosure-line">
				<button
					type="button"
					className="disclosure-button"
					aria-expanded={isOpen}
					aria-label={`${isOpen ? "Close" : "Open"} ${label}`}
					onClick={() => setOpen(!isOpen)}
				>
					<ChevronRight aria-hidden="true" />
				</button>
				<div className="disclosure-summary">{summary}</div>
				{tools}
			</div>
			{isOpen && <div className="disclosure-content">{children()}</div>}
		</div>
	);
}
