#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <exception>
#include <optional>
#include <string>

#include "bindings.hpp"
#include "filetree/posix_fs.hpp"
#include "filetree/report.hpp"

namespace pwalk_bindings {
namespace {

using filetree::ReportOptions;
using filetree::Scan;

// How often a consumer that waits looks whether it has been interrupted.
constexpr std::chrono::milliseconds signal_interval{50};

// One batch, on its way into a consumer that knows the Arrow PyCapsule interface.
class Batch {
   public:
    explicit Batch(ArrowArray array) : array_(array) {}
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;
    ~Batch() {
        if (array_.release != nullptr) array_.release(&array_);
    }

    [[nodiscard]] std::int64_t rows() const noexcept { return rows_; }

    nb::tuple to_capsules() {
        if (array_.release == nullptr) throw nb::value_error("the batch has been consumed");
        auto* schema = new ArrowSchema{};
        filetree::export_scan_schema(*schema);
        const nb::capsule schema_capsule(schema, "arrow_schema", [](void* p) noexcept {
            release_and_delete(static_cast<ArrowSchema*>(p));
        });
        auto* array = new ArrowArray(array_);
        array_.release = nullptr;
        const nb::capsule array_capsule(array, "arrow_array", [](void* p) noexcept {
            release_and_delete(static_cast<ArrowArray*>(p));
        });
        return nb::make_tuple(schema_capsule, array_capsule);
    }

    template <class T>
    static void release_and_delete(T* exported) noexcept {
        if (exported->release != nullptr) exported->release(exported);
        delete exported;
    }

   private:
    ArrowArray array_;
    std::int64_t rows_ = array_.length;
};

// Python delivers signals on its main thread only.
bool on_main_thread() noexcept { return ::syscall(SYS_gettid) == ::getpid(); }

// Runs Python's signal handlers where that is possible. True when one raised.
bool interrupted() {
    if (!on_main_thread() || Py_IsInitialized() == 0) return false;
    const nb::gil_scoped_acquire locked;
    if (PyErr_CheckSignals() == 0) return false;
    // The consumer will report an error of its own; the interrupt is raised again right after it.
    const bool keyboard = PyErr_ExceptionMatches(PyExc_KeyboardInterrupt) != 0;
    if (keyboard) {
        PyErr_Clear();
        PyErr_SetInterrupt();
    } else {
        PyErr_WriteUnraisable(nullptr);
    }
    return true;
}

// A scan as Python sees it: any number of streams may be asked for (some consumers do, to look at
// the schema), but rows come through one of them.
class PythonScan : public Scan {
   public:
    using Scan::Scan;

    // Whether `reader` may read: it is the first to do so.
    bool reads_through(const void* reader) noexcept {
        const void* none = nullptr;
        return reader_.compare_exchange_strong(none, reader) || none == reader;
    }
    [[nodiscard]] bool consumed() const noexcept { return reader_.load() != nullptr; }

   private:
    std::atomic<const void*> reader_{nullptr};
};

// The stream that consumers pull from. Holds the Python Scan alive.
struct Stream {
    PythonScan* scan;
    PyObject* owner;
    std::string last_error;

    static Stream& of(ArrowArrayStream* stream) {
        return *static_cast<Stream*>(stream->private_data);
    }

    int fail(int error, const char* message) {
        last_error = message;
        return error;
    }

    int next(ArrowArray& out) {
        if (!scan->reads_through(this)) {
            return fail(EINVAL, "a scan is a one-shot stream: this one has been consumed");
        }
        try {
            for (;;) {
                switch (scan->next(out, signal_interval)) {
                    case Scan::Next::batch:
                        return 0;
                    case Scan::Next::end:
                        out = {};
                        return 0;
                    case Scan::Next::timeout:
                        if (interrupted()) return fail(EINTR, "interrupted");
                }
            }
        } catch (const filetree::SystemError& error) {
            return fail(error.error(), error.what());
        } catch (const std::exception& error) {
            return fail(EIO, error.what());
        }
    }
};

int stream_get_schema(ArrowArrayStream* /*stream*/, ArrowSchema* out) {
    filetree::export_scan_schema(*out);
    return 0;
}

int stream_get_next(ArrowArrayStream* stream, ArrowArray* out) {
    // Some consumers call with the GIL, others without.
    std::optional<nb::gil_scoped_release> unlocked;
    if (PyGILState_Check() != 0) unlocked.emplace();
    return Stream::of(stream).next(*out);
}

const char* stream_get_last_error(ArrowArrayStream* stream) {
    return Stream::of(stream).last_error.c_str();
}

void stream_release(ArrowArrayStream* stream) {
    Stream* state = &Stream::of(stream);
    if (Py_IsInitialized() != 0) {
        const nb::gil_scoped_acquire locked;
        Py_DECREF(state->owner);
    }
    delete state;
    stream->release = nullptr;
}

nb::capsule to_stream(nb::handle_t<PythonScan> self) {
    Py_INCREF(self.ptr());
    auto* stream = new ArrowArrayStream{};
    stream->get_schema = stream_get_schema;
    stream->get_next = stream_get_next;
    stream->get_last_error = stream_get_last_error;
    stream->release = stream_release;
    stream->private_data = new Stream{nb::cast<PythonScan*>(self), self.ptr(), {}};
    return nb::capsule(stream, "arrow_array_stream", [](void* p) noexcept {
        Batch::release_and_delete(static_cast<ArrowArrayStream*>(p));
    });
}

// A batch, None when there is none yet, False at the end.
nb::object next_batch(PythonScan& scan, double timeout) {
    if (!scan.reads_through(&scan)) {
        PyErr_SetString(PyExc_RuntimeError,
                        "a scan is a one-shot stream: this one has been consumed");
        throw nb::python_error();
    }
    ArrowArray array;
    Scan::Next next;
    {
        const nb::gil_scoped_release unlocked;
        next = scan.next(array, to_duration(timeout));
    }
    switch (next) {
        case Scan::Next::batch:
            return nb::cast(new Batch(array), nb::rv_policy::take_ownership);
        case Scan::Next::end:
            return nb::bool_(false);
        case Scan::Next::timeout:
            break;
    }
    return nb::none();
}

// The schema alone, for consumers that ask before any row.
nb::capsule schema_capsule() {
    auto* schema = new ArrowSchema{};
    filetree::export_scan_schema(*schema);
    return nb::capsule(schema, "arrow_schema", [](void* p) noexcept {
        Batch::release_and_delete(static_cast<ArrowSchema*>(p));
    });
}

}  // namespace

void bind_scan(nb::module_& module) {
    nb::class_<Batch>(module, "Batch")
        .def_prop_ro("rows", &Batch::rows)
        .def(
            "__arrow_c_array__",
            [](Batch& self, const nb::object& /*requested_schema*/) { return self.to_capsules(); },
            nb::arg("requested_schema") = nb::none());

    nb::class_<PythonScan, filetree::Report>(module, "Scan")
        .def(
            "__init__",
            [](PythonScan* self, const nb::bytes& top, const ReportOptions& options,
               bool cached_attributes) {
                new (self) PythonScan(filetree::make_posix_file_system({cached_attributes}),
                                      to_string(top), options);
            },
            nb::arg("top"), nb::arg("options"), nb::arg("cached_attributes") = false)
        .def_prop_ro("consumed", &PythonScan::consumed)
        .def("next", &next_batch, nb::arg("timeout"))
        .def("stream", &to_stream);
    module.def("scan_schema", &schema_capsule);
}

}  // namespace pwalk_bindings
