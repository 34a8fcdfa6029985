// What TerminalNcurses needs of C: the calls of ncurses, whose header is all macros and globals, and handlers of
// signals, which must not be written in Swift. Everything is per process; one thread calls it, unless it says otherwise.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

/// Takes the locale's character set from the environment; returns whether it is UTF-8. Only the characters: a
/// decimal comma must not get into what the process writes elsewhere.
bool cncurses_locale_is_utf8(void);

/// Whether the terminal type is known and can place its cursor: 1; 0 if it cannot; -1 if it is not known.
int cncurses_can_show(const char *type, int output);

/// Starts ncurses on two descriptors, raw, without echo, on the alternate screen, and reads the type's strings.
/// Returns false if ncurses refuses.
bool cncurses_open(const char *type, int input, int output);
/// Goes back to the shell's modes and screen, and again to the program's.
void cncurses_leave(void);
void cncurses_enter(void);
/// Frees what ncurses took; first goes back for good, unless somebody else has the terminal.
void cncurses_close(bool is_ours);
void cncurses_resize(int rows, int columns);

/// The size of a terminal; false if it does not say.
bool cncurses_size(int output, int *rows, int *columns);

/// A string, number or flag of the terminal type; null, -1 and false where it has none. The string lives as long as
/// the terminal is open.
const char *cncurses_string(const char *capability);
int cncurses_number(const char *capability);
bool cncurses_flag(const char *capability);
/// A string with its parameters put in; it lives until the next call. Null if there is none.
const char *cncurses_with(const char *string, int first, int second);

/// What happened since one asked last.
enum {
  CNCURSES_WOKEN = 1,
  CNCURSES_RESIZED = 2,
  CNCURSES_INTERRUPTED = 4,
  CNCURSES_TERMINATED = 8,
  CNCURSES_HUNG_UP = 16,
  CNCURSES_STOPPED = 32,
  CNCURSES_CONTINUED = 64,
};

/// Returns a descriptor that becomes readable when something happened; it is never closed. -1 with errno if the
/// system gives none. Any thread.
int cncurses_events(void);
/// Any thread, and signal handlers.
void cncurses_wake(void);
/// Takes what happened, as bits, and makes the descriptor wait again.
unsigned cncurses_take(void);

/// From here on, what ends the process first writes `bytes` to the terminal and gives it the modes of `modes`: a
/// crash, a signal that nobody else handles, and exit. SIGINT, SIGTERM, SIGHUP and SIGTSTP become events instead,
/// unless they are ignored; one that waits for two seconds and comes again ends the process.
void cncurses_guard(int output, const struct termios *modes, const char *bytes, size_t count);
/// Whether there is anything to give back: not while the shell has the terminal.
void cncurses_set_guarded(bool is_guarded);
/// Puts all handlers back that are still these.
void cncurses_unguard(void);
/// Whether a crash has given the terminal back: nothing must be drawn any more. Any thread.
bool cncurses_is_lost(void);
/// Whether the terminal is this process's to change: it is not while the shell has it.
bool cncurses_is_foreground(int output);
/// Stops the process group as the terminal's Ctrl-Z does; returns when this process was continued.
void cncurses_stop(void);
