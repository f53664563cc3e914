#include "arrow_stream.hpp"

#include <cerrno>
#include <exception>
#include <optional>
#include <string>

#include "../../fs/platform.hpp"
#include "filetree/error.hpp"

namespace pwalk_bindings {
namespace {

using Next = BatchSource::Next;

constexpr const char* consumed_already = "this is a one-shot stream, and it has been consumed";
// How often a consumer that waits looks whether it has been interrupted.
constexpr std::chrono::milliseconds signal_interval{50};

template <class T>
void release_and_delete(T* exported) noexcept {
    if (exported->release != nullptr) exported->release(exported);
    delete exported;
}

nb::capsule scan_schema() {
    auto* schema = new ArrowSchema{};
    filetree::export_scan_schema(*schema);
    return {schema, "arrow_schema",
            [](void* p) noexcept { release_and_delete(static_cast<ArrowSchema*>(p)); }};
}

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
        auto* array = new ArrowArray(array_);
        array_.release = nullptr;
        const nb::capsule array_capsule(array, "arrow_array", [](void* p) noexcept {
            release_and_delete(static_cast<ArrowArray*>(p));
        });
        return nb::make_tuple(scan_schema(), array_capsule);
    }

   private:
    ArrowArray array_;
    std::int64_t rows_ = array_.length;
};

// Runs Python's signal handlers where that is possible: on its main thread. True when one raised.
bool interrupted() {
    if (!filetree::platform::on_main_thread() || Py_IsInitialized() == 0) return false;
    const Locked locked;
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

// The stream that consumers pull from. Holds the Python object of its source alive.
struct Stream {
    BatchSource* source;
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
        if (!source->reads_through(this)) {
            return fail(EINVAL, consumed_already);
        }
        std::shared_ptr<const filetree::Mark> mark;
        try {
            for (;;) {
                switch (source->next(out, mark, signal_interval)) {
                    case Next::batch:
                        return 0;
                    case Next::end:
                        out = {};
                        return 0;
                    case Next::mark:
                        break;
                    case Next::timeout:
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
    std::optional<Unlocked> unlocked;
    if (PyGILState_Check() != 0) unlocked.emplace();
    return Stream::of(stream).next(*out);
}

const char* stream_get_last_error(ArrowArrayStream* stream) {
    return Stream::of(stream).last_error.c_str();
}

void stream_release(ArrowArrayStream* stream) {
    Stream* state = &Stream::of(stream);
    if (Py_IsInitialized() != 0) {
        const Locked locked;
        Py_DECREF(state->owner);
    }
    delete state;
    stream->release = nullptr;
}

}  // namespace

nb::capsule to_stream(BatchSource& source, nb::handle owner) {
    Py_INCREF(owner.ptr());
    auto* stream = new ArrowArrayStream{};
    stream->get_schema = stream_get_schema;
    stream->get_next = stream_get_next;
    stream->get_last_error = stream_get_last_error;
    stream->release = stream_release;
    stream->private_data = new Stream{&source, owner.ptr(), {}};
    return nb::capsule(stream, "arrow_array_stream", [](void* p) noexcept {
        release_and_delete(static_cast<ArrowArrayStream*>(p));
    });
}

nb::object next_batch(BatchSource& source, double timeout) {
    if (!source.reads_through(&source)) {
        PyErr_SetString(PyExc_RuntimeError, consumed_already);
        throw nb::python_error();
    }
    ArrowArray array;
    std::shared_ptr<const filetree::Mark> mark;
    Next next;
    {
        const Unlocked unlocked;
        next = source.next(array, mark, to_duration(timeout));
    }
    switch (next) {
        case Next::batch:
            return nb::cast(new Batch(array), nb::rv_policy::take_ownership);
        case Next::mark:
            return nb::cast(*mark);
        case Next::end:
            return nb::bool_(false);
        case Next::timeout:
            break;
    }
    return nb::none();
}

void bind_arrow_stream(nb::module_& module) {
    nb::class_<Batch>(module, "Batch")
        .def_prop_ro("rows", &Batch::rows)
        .def(
            "__arrow_c_array__",
            [](Batch& self, const nb::object& /*requested_schema*/) { return self.to_capsules(); },
            nb::arg("requested_schema") = nb::none(), nb::lock_self());

    // The schema alone, for consumers that ask before any row.
    module.def("scan_schema", &scan_schema);
}

}  // namespace pwalk_bindings
