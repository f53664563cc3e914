#pragma once

// Names and paths as Python sees them: str, in the file system's encoding with surrogateescape, or
// bytes. Called with the GIL held.

#include <nanobind/nanobind.h>

#include <string>
#include <string_view>

namespace pwalk_bindings {

namespace nb = nanobind;

// os.fsdecode(characters). Throws nb::python_error.
nb::object to_str(std::string_view characters);

// A str of `characters`, or bytes.
inline nb::object to_text(std::string_view characters, bool as_bytes) {
    return as_bytes ? nb::object(nb::bytes(characters.data(), characters.size()))
                    : to_str(characters);
}

// The characters of a str that has only ASCII, or of bytes; neither may be a subclass. Null
// otherwise. Valid as long as the object.
std::string_view plain_characters(nb::handle text, bool as_bytes) noexcept;

// os.fsencode(path). Throws nb::python_error: TypeError, UnicodeEncodeError, or ValueError when it
// contains a null.
std::string encode_path(nb::handle path);

// The same for a name, with any characters in it; empty when it cannot be encoded.
std::string encode_name(nb::handle name);

}  // namespace pwalk_bindings
