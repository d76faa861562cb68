#pragma once

/* Figures of this process. NAN: it is not known, as where /proc is not mounted. */
struct process_figures {
	double cpu_seconds; /* of all threads, user and system */
	double resident_bytes, virtual_bytes;
	double open_fds, max_fds;
	double start_time; /* seconds since 1970 */
};

/* Reads them from the kernel. */
void process_figures_read(struct process_figures *figures);
