#include <nanobind/nanobind.h>

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "../../fs/platform.hpp"
#include "../gil.hpp"
#include "bindings.hpp"
#include "filetree/compare.hpp"

#ifdef FILETREE_PRIVATE_OPENSSL
#include <openssl/crypto.h>
#endif

namespace {

namespace nb = nanobind;
using bindings::Unlocked;
using filetree::CompareError;
using filetree::Comparison;
using filetree::Pool;

// None, or (failure, errno, path, message). What is no CompareError is thrown.
nb::object failure_of(const Comparison& comparison) {
    const std::exception_ptr failure = comparison.failure();
    if (!failure) return nb::none();
    try {
        std::rethrow_exception(failure);
    } catch (const CompareError& error) {
        return komparu_bindings::to_tuple(error);
    }
}

// Numbers of comparisons that have ended, for a loop that waits for a descriptor.
//
// Threads: any. The pool's threads put numbers in; the loop's takes them out.
class Completions {
   public:
    Completions() : shared_(std::make_shared<Shared>()) {
        if (shared_->wakeup.fd() < 0) {
            PyErr_SetFromErrno(PyExc_OSError);
            throw nb::python_error();
        }
    }

    [[nodiscard]] int fd() const { return shared_->wakeup.fd(); }

    void watch(Comparison& comparison, std::uint64_t number) const {
        comparison.on_finished([shared = shared_, number] { shared->put(number); });
    }

    [[nodiscard]] std::vector<std::uint64_t> take() const {
        shared_->wakeup.clear();
        const std::lock_guard lock(shared_->mutex);
        return std::exchange(shared_->numbers, {});
    }

   private:
    // Stays until the last comparison that was watched has ended.
    struct Shared {
        void put(std::uint64_t number) {
            const std::lock_guard lock(mutex);
            numbers.push_back(number);
            wakeup.ring();
        }

        const filetree::platform::Wakeup wakeup;
        std::mutex mutex;
        std::vector<std::uint64_t> numbers;
    };
    std::shared_ptr<Shared> shared_;
};

}  // namespace

NB_MODULE(_core, module) {
    module.doc() = "The core of komparu.";
    module.attr("__version__") = FILETREE_VERSION;
    // A daemon thread keeps what it uses until the process is gone; that is no leak to complain of.
    nb::set_leak_warnings(false);
#ifdef FILETREE_PRIVATE_OPENSSL
    // The host's openssl.cnf is for the host's OpenSSL: its providers are of another version.
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
#endif

    nb::class_<Pool>(module, "Pool")
        .def(nb::init<unsigned>(), nb::arg("threads") = 0)
        .def_prop_ro("threads", &Pool::threads)
        .def("close", [](Pool& self) {
            const Unlocked unlocked;
            self.close();
        });

    nb::class_<Comparison>(module, "Comparison")
        .def(
            "wait",
            [](Comparison& self, double timeout) {
                const Unlocked unlocked;
                return self.wait(bindings::to_duration(timeout));
            },
            nb::arg("timeout"))
        .def("cancel", &Comparison::cancel)
        .def("failure", &failure_of);

    komparu_bindings::bind_archives(module);
    komparu_bindings::bind_files(module);
    komparu_bindings::bind_groups(module);
    komparu_bindings::bind_http(module);
    komparu_bindings::bind_trees(module);

    nb::class_<Completions>(module, "Completions")
        .def(nb::init<>())
        .def_prop_ro("fd", &Completions::fd)
        .def("watch", &Completions::watch, nb::arg("comparison"), nb::arg("number"))
        .def("take", [](const Completions& self) {
            nb::list numbers;
            for (const std::uint64_t number : self.take()) numbers.append(number);
            return numbers;
        });
}
