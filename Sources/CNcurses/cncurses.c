#define _GNU_SOURCE 1
#define NCURSES_WIDECHAR 1
#include "cncurses.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <ncurses.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <term.h>
#include <time.h>
#include <unistd.h>

// Two of the macros of term.h.
#undef lines
#undef columns

bool cncurses_locale_is_utf8(void) {
  return setlocale(LC_CTYPE, "") != NULL && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

// MARK: The terminal type

int cncurses_can_show(const char *type, int output) {
  int found = 0;
  if (setupterm(type, output, &found) != OK) return -1;
  bool can = cncurses_string("cup") != NULL && cncurses_string("clear") != NULL && !cncurses_flag("hc");
  del_curterm(cur_term);
  return can;
}

const char *cncurses_string(const char *capability) {
  char *value = tigetstr(capability);
  return value == (char *)-1 ? NULL : value;
}

int cncurses_number(const char *capability) {
  int value = tigetnum(capability);
  return value < 0 ? -1 : value;
}

bool cncurses_flag(const char *capability) { return tigetflag(capability) > 0; }

const char *cncurses_with(const char *string, int first, int second) { return tiparm(string, first, second); }

// MARK: The screen

static SCREEN *screen;
static FILE *input_file, *output_file;

bool cncurses_open(const char *type, int input, int output) {
  // What the terminal reports can be more than there is memory for; then the type's own size does at first.
  int rows = 0, columns = 0;
  if (cncurses_size(output, &rows, &columns)) use_env(rows <= 1000 && columns <= 2000);
  input_file = fdopen(dup(input), "r");
  output_file = fdopen(dup(output), "w");
  screen = input_file && output_file ? newterm(type, output_file, input_file) : NULL;
  if (!screen) {
    if (input_file) fclose(input_file);
    if (output_file) fclose(output_file);
    return false;
  }
  set_escdelay(25);
  use_default_colors();
  raw();
  noecho();
  nonl();
  curs_set(0);
  keypad(stdscr, TRUE);
  // The first update sends what has gathered; the screen of ncurses stays empty, cells are painted elsewhere.
  doupdate();
  return true;
}

void cncurses_leave(void) { endwin(); }

void cncurses_enter(void) {
  reset_prog_mode();
  doupdate();
  keypad(stdscr, TRUE);
  curs_set(0);
  fflush(output_file);
}

void cncurses_close(bool is_ours) {
  if (is_ours) endwin();
  delscreen(screen);
  screen = NULL;
  fclose(input_file);
  fclose(output_file);
}

void cncurses_resize(int rows, int columns) { resizeterm(rows, columns); }

bool cncurses_size(int output, int *rows, int *columns) {
  struct winsize size;
  if (ioctl(output, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) return false;
  *rows = size.ws_row;
  *columns = size.ws_col;
  return true;
}

// MARK: Events

static int event_descriptor = -1;
static pthread_once_t event_once = PTHREAD_ONCE_INIT;
static atomic_uint happened;

static void make_event_descriptor(void) { event_descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

int cncurses_events(void) {
  pthread_once(&event_once, make_event_descriptor);
  return event_descriptor;
}

static void report(unsigned bits) {
  int saved = errno;
  atomic_fetch_or(&happened, bits);
  uint64_t one = 1;
  // It only fails when the counter is full, and then the descriptor is readable anyway.
  ssize_t ignored = write(event_descriptor, &one, sizeof one);
  (void)ignored;
  errno = saved;
}

void cncurses_wake(void) { report(CNCURSES_WOKEN); }

// MARK: Signals

static atomic_bool is_guarded, is_lost;
static int guarded_output = -1;
static struct termios guarded_modes;
static char guarded_bytes[1024];
static size_t guarded_count;

static struct sigaction previous[NSIG];
static bool is_installed[NSIG];
/// When each event came that nobody has taken yet, in milliseconds; 0 if none.
static atomic_llong waiting_since[NSIG];
static const long long patience = 2000;

bool cncurses_is_lost(void) { return atomic_load(&is_lost); }

bool cncurses_is_foreground(int output) {
  pid_t group = tcgetpgrp(output);
  return group < 0 || group == getpgrp();
}

/// Gives the terminal back, once, with nothing but what a handler may call.
static void give_back(void) {
  if (!atomic_exchange(&is_guarded, false)) return;
  atomic_store(&is_lost, true);
  if (!cncurses_is_foreground(guarded_output)) return;
  int saved = errno;
  for (size_t sent = 0; sent < guarded_count;) {
    ssize_t count = write(guarded_output, guarded_bytes + sent, guarded_count - sent);
    if (count <= 0) break;
    sent += (size_t)count;
  }
  tcsetattr(guarded_output, TCSANOW, &guarded_modes);
  errno = saved;
}

/// Gives the terminal back, then does what would have been done without us.
static void on_fatal(int number, siginfo_t *info, void *context) {
  give_back();
  struct sigaction *then = &previous[number];
  if (then->sa_flags & SA_SIGINFO) return then->sa_sigaction(number, info, context);
  if (then->sa_handler != SIG_DFL && then->sa_handler != SIG_IGN) return then->sa_handler(number);
  // The signal is blocked until the handler returns: then it ends the process, with the right status.
  signal(number, SIG_DFL);
  raise(number);
}

static void on_event(int number, siginfo_t *info, void *context) {
  switch (number) {
    case SIGWINCH: return report(CNCURSES_RESIZED);
    case SIGTSTP: return report(CNCURSES_STOPPED);
    case SIGCONT: return report(CNCURSES_CONTINUED);
    default: break;
  }
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  long long now = time.tv_sec * 1000LL + time.tv_nsec / 1000000 + 1;
  long long since = 0;
  // A program that does not look at its events any more still ends when asked again.
  if (!atomic_compare_exchange_strong(&waiting_since[number], &since, now) && now - since > patience)
    return on_fatal(number, info, context);
  report(number == SIGINT ? CNCURSES_INTERRUPTED : number == SIGTERM ? CNCURSES_TERMINATED : CNCURSES_HUNG_UP);
}

unsigned cncurses_take(void) {
  uint64_t count;
  ssize_t ignored = read(event_descriptor, &count, sizeof count);
  (void)ignored;
  unsigned bits = atomic_exchange(&happened, 0);
  if (bits & CNCURSES_INTERRUPTED) atomic_store(&waiting_since[SIGINT], 0);
  if (bits & CNCURSES_TERMINATED) atomic_store(&waiting_since[SIGTERM], 0);
  if (bits & CNCURSES_HUNG_UP) atomic_store(&waiting_since[SIGHUP], 0);
  return bits;
}

static void install(int number, void (*handler)(int, siginfo_t *, void *), bool even_if_handled) {
  struct sigaction now;
  if (is_installed[number] || sigaction(number, NULL, &now) != 0) return;
  bool is_handled = (now.sa_flags & SA_SIGINFO) || (now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN);
  if (!(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_IGN) return;
  if (is_handled && !even_if_handled) return;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigemptyset(&action.sa_mask);
  is_installed[number] = sigaction(number, &action, &previous[number]) == 0;
}

/// A stack overflow can only be handled on another stack.
static void give_thread_a_signal_stack(void) {
  static char memory[64 * 1024];
  stack_t stack;
  if (sigaltstack(NULL, &stack) != 0 || !(stack.ss_flags & SS_DISABLE)) return;
  memset(&stack, 0, sizeof stack);
  stack.ss_sp = memory;
  stack.ss_size = sizeof memory;
  sigaltstack(&stack, NULL);
}

void cncurses_guard(int output, const struct termios *modes, const char *bytes, size_t count) {
  static bool is_registered;
  static const int crashes[] = {SIGSEGV, SIGABRT, SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSYS};
  static const int endings[] = {SIGQUIT, SIGALRM, SIGUSR1, SIGUSR2, SIGPIPE,   SIGVTALRM, SIGPROF,
                                SIGXCPU, SIGXFSZ, SIGIO,   SIGPWR,  SIGSTKFLT};
  static const int events[] = {SIGWINCH, SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGCONT};
  cncurses_events();
  guarded_output = output;
  guarded_modes = *modes;
  guarded_count = count < sizeof guarded_bytes ? count : sizeof guarded_bytes;
  memcpy(guarded_bytes, bytes, guarded_count);
  atomic_store(&is_lost, false);
  atomic_store(&is_guarded, true);
  if (!is_registered) is_registered = atexit(give_back) == 0;
  give_thread_a_signal_stack();
  for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) install(crashes[i], on_fatal, true);
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) install(endings[i], on_fatal, false);
  for (int number = SIGRTMIN; number <= SIGRTMAX; number++) install(number, on_fatal, false);
  for (size_t i = 0; i < sizeof events / sizeof *events; i++) install(events[i], on_event, true);
}

void cncurses_set_guarded(bool is) { atomic_store(&is_guarded, is); }

void cncurses_unguard(void) {
  atomic_store(&is_guarded, false);
  for (int number = 1; number < NSIG; number++) {
    struct sigaction now;
    if (!is_installed[number] || sigaction(number, NULL, &now) != 0) continue;
    bool is_ours = (now.sa_flags & SA_SIGINFO) && (now.sa_sigaction == on_event || now.sa_sigaction == on_fatal);
    if (is_ours) sigaction(number, &previous[number], NULL);
    is_installed[number] = false;
    atomic_store(&waiting_since[number], 0);
  }
}

void cncurses_stop(void) {
  struct sigaction ignore, stop, now;
  memset(&ignore, 0, sizeof ignore);
  memset(&stop, 0, sizeof stop);
  ignore.sa_handler = SIG_IGN;
  stop.sa_handler = SIG_DFL;
  // The others of the group first, then this thread: a signal to the process could be taken by another thread
  // after this function has returned.
  sigaction(SIGTSTP, &ignore, &now);
  kill(0, SIGTSTP);
  sigaction(SIGTSTP, &stop, NULL);
  raise(SIGTSTP);
  sigaction(SIGTSTP, &now, NULL);
  // That it goes on is known here; as an event it would paint everything a second time.
  atomic_fetch_and(&happened, ~(unsigned)CNCURSES_CONTINUED);
}
