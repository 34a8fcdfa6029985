// The system's SQLite, as it is. Only StoreSQLite may import this module.
#include <sqlite3.h>
