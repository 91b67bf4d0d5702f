#include "notify_store.h"
int notify_store_placeholder(void) { return 0; }
