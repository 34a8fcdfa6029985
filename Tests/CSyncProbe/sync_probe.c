#include "sync_probe.h"
void sync_probe_stub(void) {}
