#pragma once

// Record batches on their way to consumers that know the Arrow PyCapsule interface.

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <stdexcept>

#include "bindings.hpp"
#include "filetree/checkpoint.hpp"

namespace pwalk_bindings {

// Where batches come from: a scan, or a file. Any number of streams may be asked for (some
// consumers do, to look at the schema), but rows come through one of them.
//
// Threads: any; whoever comes while another one reads waits.
class BatchSource {
   public:
    using Next = filetree::Scan::Next;

    BatchSource() = default;
    BatchSource(const BatchSource&) = delete;
    BatchSource& operator=(const BatchSource&) = delete;
    virtual ~BatchSource() = default;

    // To be called without the GIL. Sets `out` or `mark`, as the result says.
    Next next(ArrowArray& out, std::shared_ptr<const filetree::Mark>& mark,
              std::chrono::nanoseconds timeout) {
        const auto lock = begin_reading();
        return next_batch(out, mark, timeout);
    }
    // Whether `reader` may read: it is the first to do so.
    bool reads_through(const void* reader) noexcept {
        const void* none = nullptr;
        return reader_.compare_exchange_strong(none, reader) || none == reader;
    }
    [[nodiscard]] bool consumed() const noexcept { return reader_.load() != nullptr; }

   protected:
    // Held while something is read; not with the GIL. Throws in a forked process: threads, and the
    // place in a file, are those of the process that has opened it.
    [[nodiscard]] std::unique_lock<std::mutex> begin_reading() {
        if (::getpid() != process_) {
            throw std::runtime_error("this is read in the process that has opened it");
        }
        return std::unique_lock(reading_);
    }
    // Held while it is closed. Not to be had in a forked process when a thread was reading at that
    // moment.
    [[nodiscard]] std::unique_lock<std::mutex> begin_closing() {
        if (::getpid() == process_) return std::unique_lock(reading_);
        return {reading_, std::try_to_lock};
    }

   private:
    virtual Next next_batch(ArrowArray& out, std::shared_ptr<const filetree::Mark>& mark,
                            std::chrono::nanoseconds timeout) = 0;

    std::mutex reading_;
    std::atomic<const void*> reader_{nullptr};
    const pid_t process_ = ::getpid();
};

// An arrow_array_stream capsule that holds `owner`, the Python object of `source`, alive.
nb::capsule to_stream(BatchSource& source, nb::handle owner);
// A Batch or a Mark, None when there is none yet, False at the end.
nb::object next_batch(BatchSource& source, double timeout);

// The methods of a bound class that is a BatchSource.
template <class Bound>
void bind_batch_source(Bound& bound) {
    using T = typename Bound::Type;
    bound.def_prop_ro("consumed", [](const T& self) { return self.consumed(); })
        .def(
            "next", [](T& self, double timeout) { return next_batch(self, timeout); },
            nb::arg("timeout"))
        .def("stream", [](nb::handle_t<T> self) { return to_stream(*nb::cast<T*>(self), self); });
}

}  // namespace pwalk_bindings
