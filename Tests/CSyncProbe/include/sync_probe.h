void sync_probe_stub(void);
