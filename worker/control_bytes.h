/* What goes over the control socket between supervisor and child: single bytes. */
#ifndef WORKER_CONTROL_BYTES_H
#define WORKER_CONTROL_BYTES_H

enum control_byte {
	CONTROL_ALIVE = 'a',   /* child: every second */
	CONTROL_READY = 'r',   /* child: serves now */
	CONTROL_RELOAD = 'h',  /* child: an operator wants a reload */
	CONTROL_REPLACE = 'n', /* child: ... a successor for this one */
	CONTROL_DRAIN = 'd',   /* supervisor: stop accepting, let the clients go */
	CONTROL_STOP = 's',    /* supervisor: end now */
};

#endif
