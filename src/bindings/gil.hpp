#pragma once

// The GIL, given back and taken. The guards of nanobind do not serve here: until Python 3.14,
// taking the GIL while the interpreter exits ends the thread by unwinding it, out of a destructor,
// and with it the process. Here such a thread waits for the end of the process, as it does in
// Python since.

#include <nanobind/nanobind.h>
#include <unistd.h>

namespace bindings {

// Without the GIL, in a thread that has it.
class Unlocked {
   public:
    Unlocked() : state_(PyEval_SaveThread()) {}
    ~Unlocked() {
        try {
            PyEval_RestoreThread(state_);
        } catch (...) {
            for (;;) ::pause();
        }
    }
    Unlocked(const Unlocked&) = delete;
    Unlocked& operator=(const Unlocked&) = delete;

   private:
    PyThreadState* state_;
};

// With the GIL, in a thread that has it or not.
class Locked {
   public:
    Locked() {
        try {
            state_ = PyGILState_Ensure();
        } catch (...) {
            for (;;) ::pause();
        }
    }
    ~Locked() { PyGILState_Release(state_); }
    Locked(const Locked&) = delete;
    Locked& operator=(const Locked&) = delete;

   private:
    PyGILState_STATE state_;
};

}  // namespace bindings
